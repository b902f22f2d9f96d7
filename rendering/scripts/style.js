// Puts a style sheet under a page's own: told to the document, not written into it, so that its elements stay as they are.
(css) => {
  const sheets = Object.getOwnPropertyDescriptor(Document.prototype, "adoptedStyleSheets");
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  sheets.set.call(document, [sheet]);
}
