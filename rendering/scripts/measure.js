// Run once a page has loaded: ends animations, then tells sizes, where the text stands line by line, and where pictures are.
// Names come from prototypes because elements of a hostile page can take the place of `document.<name>`.
// `css` lies under the page's own styles; it is told to the document, not written into it, so that its elements stay.
(maxBoxes, css, scripted) => {
  const call = (type, name, target, ...args) => type.prototype[name].call(target, ...args);
  const read = (type, name, target) => Object.getOwnPropertyDescriptor(type.prototype, name).get.call(target);
  const fonts = read(Document, "fonts", document);
  const PICTURES = "img,video,iframe,embed,object,canvas,input[type=image]";
  const NO_TEXT = new Set(["hidden", "checkbox", "radio", "color", "range", "file", "image", "password"]);
  const LONG_TEXT = 20_000; // in one piece, where every question about a part costs by the whole
  const blockOf = (element) => {
    // What a paragraph's text is told apart by: the nearest ancestor that is not part of a line.
    for (let at = element; at instanceof Element; at = read(Node, "parentNode", at)) {
      if (!/^(inline|contents)$/.test(getComputedStyle(at).display)) return at;
    }
    return null;
  };
  const linesOf = (node, range) => {
    // A text's boxes, one for each line as laid out, and what stands in each. Where a line ends is guessed,
    // searched by doubling from there and then by halves: each look at a part costs by its length.
    const boxesOf = (start, end) => {
      range.setStart(node, start);
      range.setEnd(node, end);
      return [...range.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
    };
    if (node.length > LONG_TEXT) {
      range.selectNodeContents(node);
      return [[range.getBoundingClientRect(), node.data]];
    }
    const all = boxesOf(0, node.length);
    if (all.length < 2) return all.map((box) => [box, node.data]);
    const lines = [];
    let start = 0;
    let left = all.reduce((sum, box) => sum + box.width, 0);
    for (const box of all.slice(0, maxBoxes)) {
      const isWhole = (end) => boxesOf(start, end).length < 2;
      // The line's share of the width left is nearly its share of the letters left; a far wrong guess is dear.
      const guess = Math.min(400, Math.max(1, Math.round(((node.length - start) * box.width) / left)));
      let [fits, over] = [start, node.length + 1];
      let [at, step] = [Math.min(start + guess, node.length), 2];
      while (at > fits && at < over) {
        if (isWhole(at)) [fits, at] = [at, Math.min(at + step, node.length)];
        else [over, at] = [at, at - step];
        if (fits > start && over <= node.length) break;
        step *= 2;
      }
      while (over - fits > 1) {
        const middle = (fits + over) >> 1;
        if (isWhole(middle)) fits = middle;
        else over = middle;
      }
      lines.push([box, node.data.slice(start, fits)]);
      start = fits;
      left -= box.width;
    }
    return lines;
  };
  const MOST_SCROLLING = 100; // fields that are looked into: each costs some layouts
  const inSight = (field, name) => {
    // The beginning of a scrolling field's text, as far as it shows: a last line of which half does counts.
    const property = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, name);
    const text = property.get.call(field);
    const style = getComputedStyle(field);
    const line = parseFloat(style.lineHeight) || 1.2 * parseFloat(style.fontSize);
    const room = read(Element, "clientHeight", field) + parseFloat(style.paddingBottom) + line / 2;
    const fits = (n) => {
      property.set.call(field, text.slice(0, n));
      return read(Element, "scrollHeight", field) <= room;
    };
    let [shown, size] = [0, 64];
    while (shown + size <= text.length && fits(shown + size)) {
      shown += size;
      size *= 2;
    }
    let over = Math.min(shown + size, text.length + 1);
    while (over - shown > 1) {
      const middle = (shown + over) >> 1;
      if (fits(middle)) shown = middle;
      else over = middle;
    }
    property.set.call(field, text);
    // What was cut within a word is in the next line, if there are words.
    const cut = shown < text.length && /\S/.test(text[shown]) ? text.slice(0, shown).search(/\s\S*$/) : shown;
    return text.slice(0, cut < 0 ? shown : cut);
  };
  const layOutAfresh = (root) => {
    // Styles that arrive after a first layout leave traces in it (underlines of generated quotes): what is shown must
    // not depend on when they came.
    const sheets = Object.getOwnPropertyDescriptor(Document.prototype, "adoptedStyleSheets");
    const given = [...sheets.get.call(document)];
    // Without script, what is here are the two of ours that the document before was given. They do for this one, too,
    // where the first is empty, nothing moves, and all its styles stand in the head or in the elements: none came late.
    const late = call(Document, "querySelector", document, "link,body style,svg style");
    const isMoving = call(Document, "getAnimations", document).length > 0;
    if (!scripted && !late && !isMoving && !css && given.length && !given[0].cssRules.length) return;
    const [ground, hidden, quiet] = [new CSSStyleSheet(), new CSSStyleSheet(), new CSSStyleSheet()];
    ground.replaceSync(css);
    hidden.replaceSync(":root{display:none!important}");
    // Without script every video gets controls, and in them a wheel that turns for as long as it is waited for.
    quiet.replaceSync("video::-webkit-media-controls{display:none!important}");
    const own = scripted ? given : [];
    sheets.set.call(document, [ground, ...own, hidden]);
    call(Element, "getBoundingClientRect", root);
    sheets.set.call(document, [ground, ...own, quiet]);
  };
  const report = () => {
    const root = read(Document, "documentElement", document);
    layOutAfresh(root);
    for (const animation of call(Document, "getAnimations", document)) {
      // As Playwright's own screenshots have it: what ends is at its end, what does not end has not begun.
      const { endTime } = animation.effect.getComputedTiming();
      if (endTime === Infinity || !animation.playbackRate) animation.cancel();
      else animation.finish();
    }
    for (const marquee of call(Document, "querySelectorAll", document, "marquee")) {
      // Its text runs through it, and is not always there: what stands in its place holds still.
      if (!(marquee instanceof HTMLMarqueeElement)) continue;
      const still = call(Document, "createElement", document, "div");
      const given = (name) => call(Element, "getAttribute", marquee, name);
      for (const name of ["class", "id", "dir", "lang"]) {
        if (given(name) !== null) call(Element, "setAttribute", still, name, given(name));
      }
      const size = (name) => (given(name) ? `${name}:${given(name)}${/^\d+$/.test(given(name)) ? "px" : ""};` : "");
      const color = given("bgcolor") ? `background:${given("bgcolor")};` : "";
      const own = `display:inline-block;width:-webkit-fill-available;overflow:hidden;${size("width")}${size("height")}${color}`;
      call(Element, "setAttribute", still, "style", own + (given("style") || ""));
      call(Element, "append", still, ...read(Node, "childNodes", marquee));
      call(Element, "replaceWith", marquee, still);
    }
    const scrolling = read(Document, "scrollingElement", document) || root;
    const boxes = [];
    const blocks = new Map();
    const add = (element, box, text) => {
      if (box.width > 0 && box.height > 0 && boxes.length < maxBoxes) {
        const block = blockOf(element);
        if (!blocks.has(block)) blocks.set(block, blocks.size);
        // A name may be a million letters long, and would be told for every text in it.
        const name = read(Element, "localName", element).slice(0, 64);
        boxes.push([name, box.x, box.y, box.width, box.height, text, blocks.get(block)]);
      }
    };
    const walker = call(Document, "createTreeWalker", document, root, NodeFilter.SHOW_TEXT);
    const range = call(Document, "createRange", document);
    while (boxes.length < maxBoxes) {
      const node = walker.nextNode();
      if (!node) break;
      if (!node.data.trim()) continue;
      const parent = read(Node, "parentNode", node);
      for (const [box, text] of linesOf(node, range)) add(parent, box, text);
    }
    for (const element of call(Document, "querySelectorAll", document, PICTURES)) {
      add(element, call(Element, "getBoundingClientRect", element), "");
    }
    let nScrolling = 0;
    for (const element of call(Document, "querySelectorAll", document, "input,textarea")) {
      const type = [HTMLInputElement, HTMLTextAreaElement].find((type) => element instanceof type);
      if (!type) continue; // of another namespace
      const name = read(type, "value", element) ? "value" : "placeholder";
      let shown = read(type, name, element);
      const isLong = read(Element, "scrollHeight", element) > read(Element, "clientHeight", element);
      if (type === HTMLTextAreaElement && isLong && nScrolling++ < MOST_SCROLLING) shown = inSight(element, name);
      if (!NO_TEXT.has(read(type, "type", element)) && shown.trim()) {
        add(element, call(Element, "getBoundingClientRect", element), shown);
      }
    }
    // Pictures behind text: only who names one in its style can have it.
    for (const element of call(Document, "querySelectorAll", document, "*")) {
      if (boxes.length >= maxBoxes) break;
      if (getComputedStyle(element).backgroundImage.includes("url(")) {
        const box = call(Element, "getBoundingClientRect", element);
        boxes.push(["background", box.x, box.y, box.width, box.height, "", -1]);
      }
    }
    return {
      n_nodes: call(Document, "getElementsByTagName", document, "*").length,
      width: read(Element, "scrollWidth", scrolling),
      height: Math.max(read(Element, "scrollHeight", scrolling), read(Element, "scrollHeight", root)),
      boxes,
    };
  };
  return fonts.status === "loading" ? fonts.ready.then(report) : report();
}
