// Fills the sheet with markups, each in a cell of its own at whole pixels, row by row; tells where each cell is.
// Table markup goes into shadow roots as fragments: it cannot leave its cell, and its styles stay inside.
// Each has a look: the style of its cell, and for a table the style sheet of its shadow root (else null).
(markups, looks, widthPx, maxSidePx, maxHeightPx, maxNodes, stepPx) => {
  const stage = document.getElementById("stage");
  stage.replaceChildren();
  stage.style.width = widthPx + "px";
  const sheets = new Map();
  const sheetOf = (css) => {
    if (!sheets.has(css)) {
      sheets.set(css, new CSSStyleSheet());
      sheets.get(css).replaceSync(css);
    }
    return sheets.get(css);
  };
  const cells = markups.map((markup, index) => {
    const [cellStyle, tableCss] = looks[index];
    const cell = document.createElement("div");
    const host = document.createElement("div");
    cell.className = "cell";
    cell.style.cssText = cellStyle;
    let root = host;
    if (tableCss !== null) {
      root = host.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheetOf(tableCss)];
    }
    root.innerHTML = markup;
    cell.append(host);
    stage.append(cell);
    return { cell, cellStyle, root, n: root.querySelectorAll("*").length };
  });
  // All is measured before anything is moved: one layout for the whole sheet.
  for (const item of cells) {
    const box = item.cell.getBoundingClientRect();
    item.w = Math.ceil(box.width / stepPx) * stepPx;
    item.h = Math.ceil(box.height / stepPx) * stepPx;
    item.boxes = [...item.root.querySelectorAll("th,td,caption")].map((element) => {
      const at = element.getBoundingClientRect();
      return [element.localName, at.x - box.x, at.y - box.y, at.width, at.height, element.innerText];
    });
  }
  const sheetWidth = Math.max(widthPx, ...cells.map((item) => (item.w <= maxSidePx ? item.w : 0)));
  let x = 0, y = 0, row = 0;
  const placed = [];
  for (const item of cells) {
    const over = item.n > maxNodes ? "nodes" : item.w > maxSidePx || item.h > maxSidePx ? "size" : null;
    if (!over && x > 0 && x + item.w > sheetWidth) { x = 0; y += row; row = 0; }
    const late = !over && y > 0 && y + item.h > maxHeightPx;
    if (over || late) {
      item.cell.remove();
      placed.push({ state: over || "late", w: item.w, h: item.h, n: item.n });
      continue;
    }
    item.cell.style.cssText = `${item.cellStyle};max-width:none;left:${x}px;top:${y}px;width:${item.w}px;height:${item.h}px`;
    placed.push({ state: "placed", x, y, w: item.w, h: item.h, boxes: item.boxes });
    x += item.w;
    row = Math.max(row, item.h);
  }
  const height = Math.max(1, y + row);
  stage.style.width = sheetWidth + "px";
  stage.style.height = height + "px";
  return { width: sheetWidth, height, placed };
}
