// Waits for two frames, in which what scripts put into a page is styled and laid out; says whether fonts still load.
// A page that took away its root gets an empty one: it is shown blank, not measured in vain.
() => {
  const read = (type, name, target) => Object.getOwnPropertyDescriptor(type.prototype, name).get.call(target);
  if (!read(Document, "documentElement", document)) {
    Document.prototype.append.call(document, Document.prototype.createElement.call(document, "html"));
  }
  return new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(() => done(read(Document, "fonts", document).status === "loading")));
  });
}
