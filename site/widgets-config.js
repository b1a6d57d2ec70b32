// Runs between require.js and html-manager: widgets find anywidget's runtime and their icon fonts
// beside this file, on any host, in any folder, and when the page is opened from disk.
(() => {
  const folder = new URL(".", document.currentScript.src).href;
  requirejs.config({
    paths: {
      anywidget: `${folder}anywidget`,
      // html-manager looks for its fonts where it believes its own module lies.
      "@jupyter-widgets/html-manager/dist": folder.replace(/\/$/, ""),
    },
  });
})();
