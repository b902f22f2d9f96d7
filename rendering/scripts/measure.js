// Run once a page has loaded: ends animations, then tells sizes and where the text stands.
// Names come from prototypes because elements of a hostile page can take the place of `document.<name>`.
(maxBoxes) => {
  const call = (type, name, target, ...args) => type.prototype[name].call(target, ...args);
  const read = (type, name, target) => Object.getOwnPropertyDescriptor(type.prototype, name).get.call(target);
  const fonts = read(Document, "fonts", document);
  const layOutAfresh = (root) => {
    // Styles that arrive after a first layout leave traces in it (underlines of generated quotes): what is shown must
    // not depend on when they came.
    const [hidden, quiet] = [new CSSStyleSheet(), new CSSStyleSheet()];
    hidden.replaceSync(":root{display:none!important}");
    // Without script every video gets controls, and in them a wheel that turns for as long as it is waited for.
    quiet.replaceSync("video::-webkit-media-controls{display:none!important}");
    const sheets = Object.getOwnPropertyDescriptor(Document.prototype, "adoptedStyleSheets");
    const own = [...sheets.get.call(document)];
    sheets.set.call(document, [...own, hidden]);
    call(Element, "getBoundingClientRect", root);
    sheets.set.call(document, [...own, quiet]);
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
    const scrolling = read(Document, "scrollingElement", document) || root;
    const boxes = [];
    const walker = call(Document, "createTreeWalker", document, root, NodeFilter.SHOW_TEXT);
    const range = call(Document, "createRange", document);
    while (boxes.length < maxBoxes) {
      const node = walker.nextNode();
      if (!node) break;
      if (!node.data.trim()) continue;
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      if (box.width > 0 && box.height > 0) {
        boxes.push([read(Element, "localName", read(Node, "parentNode", node)), box.x, box.y, box.width, box.height]);
      }
    }
    return {
      href: location.href,
      n_nodes: call(Document, "getElementsByTagName", document, "*").length,
      width: read(Element, "scrollWidth", scrolling),
      height: Math.max(read(Element, "scrollHeight", scrolling), read(Element, "scrollHeight", root)),
      boxes,
    };
  };
  return fonts.status === "loading" ? fonts.ready.then(report) : report();
}
