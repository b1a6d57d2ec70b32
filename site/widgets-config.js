// Runs between require.js and html-manager: widgets find anywidget's runtime beside this file,
// on any host, in any folder, and when the page is opened from disk.
requirejs.config({
  paths: { anywidget: new URL("anywidget", document.currentScript.src).href },
});
