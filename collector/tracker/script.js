// The tracker of speedlayer: sends one pageview for each page that a person
// sees, single-page apps included.
//
//   <script defer src="https://collector.example/js/script.js"></script>
//
// Attributes of the tag, all optional:
//   data-api          where to send; default: /api/event of the script's host
//   data-allow-local  also send from localhost and file: (for development)
//   data-hash         routes are in the fragment: a change of it is a new page
//
// It sets no cookie and stores nothing. It can be called as well:
//   speedlayer()                     this page, now
//   speedlayer({ url: "https://..." })
(function () {
  "use strict";

  var tag = document.currentScript;
  if (window.speedlayer) return; // loaded twice
  var api = tag.getAttribute("data-api") || new URL("/api/event", tag.src).href;
  var allowLocal = tag.hasAttribute("data-allow-local");
  var byHash = tag.hasAttribute("data-hash");

  var RETRIES = 4; // after 1, 2, 4 and 8 seconds
  var lastURL = null; // of the page that was sent last
  var lastPage = null; // the same without what does not make a new page

  function isLocal() {
    return location.protocol === "file:" ||
      /^(localhost|127(\.\d+){3}|\[::1\]|.*\.localhost)$/.test(location.hostname);
  }

  // One pageview has one nonce, however often it is sent.
  function newNonce() {
    if (window.crypto && crypto.randomUUID) return crypto.randomUUID();
    var bytes = new Uint8Array(16); // randomUUID is for secure contexts only
    crypto.getRandomValues(bytes);
    return Array.prototype.map.call(bytes, function (b) {
      return (b + 256).toString(16).slice(1);
    }).join("");
  }

  // Sent as text/plain, so that browsers need not ask the other origin first;
  // keepalive lets it go on while the page is being left.
  function send(body, tries) {
    function again(seconds) {
      if (tries >= RETRIES) return;
      setTimeout(function () { send(body, tries + 1); }, 1000 * Math.max(seconds, Math.pow(2, tries)));
    }
    fetch(api, {
      method: "POST",
      body: body,
      keepalive: true,
      credentials: "omit",
      headers: { "Content-Type": "text/plain" }
    }).then(function (answer) {
      if (answer.status === 429 || answer.status >= 500) {
        again(Number(answer.headers.get("Retry-After")) || 0);
      }
    }, function () { again(0); });
  }

  function pageview(options) {
    var url = (options && options.url) || location.href;
    // Within an app the page before is the referrer.
    var referrer = lastURL || document.referrer || null;
    lastURL = url;
    if (isLocal() && !allowLocal) return;
    send(JSON.stringify({ n: "pageview", u: url, d: location.hostname, r: referrer, nonce: newNonce() }), 0);
  }

  function pageOf(href) {
    return byHash ? href : href.split("#")[0];
  }

  // Called at each change of the address: a new page only if it is another.
  function navigated() {
    var page = pageOf(location.href);
    if (page === lastPage) return;
    lastPage = page;
    pageview();
  }

  // Apps change the address without loading a page. The browser tells only of
  // going back and forth, so the two calls of history are wrapped.
  function follow() {
    ["pushState", "replaceState"].forEach(function (name) {
      var original = history[name];
      if (!original) return;
      history[name] = function () {
        var result = original.apply(this, arguments);
        navigated();
        return result;
      };
    });
    addEventListener("popstate", navigated);
    if (byHash) addEventListener("hashchange", navigated);
    // A page that comes back out of the back-forward cache is seen again.
    addEventListener("pageshow", function (e) {
      if (!e.persisted) return;
      lastPage = null;
      navigated();
    });
  }

  // A page that is loaded ahead, or in a tab in the background, is not seen
  // until it is visible.
  function whenSeen(then) {
    if (document.visibilityState === "visible" && !document.prerendering) return then();
    function check() {
      if (document.visibilityState !== "visible" || document.prerendering) return;
      document.removeEventListener("visibilitychange", check);
      document.removeEventListener("prerenderingchange", check);
      then();
    }
    document.addEventListener("visibilitychange", check);
    document.addEventListener("prerenderingchange", check);
  }

  window.speedlayer = pageview;
  whenSeen(function () {
    follow();
    navigated();
  });
})();
