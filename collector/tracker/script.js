// The tracker of speedlayer: sends one pageview for each page that a person
// sees, single-page apps included.
//
//   <script defer src="https://collector.example/js/script.js"></script>
//
// Attributes of the tag, all optional:
//   data-api          where to send; default: /api/event of the script's host
//   data-allow-local  also send from localhost and file: (for development)
//   data-hash         routes are in the fragment: one that begins with / or !
//                     is a part of the page
//
// It sets no cookie. It stores pageviews that could not be sent, for at most 45
// minutes, and nothing else. It can be called as well:
//   speedlayer()                     this page, now
//   speedlayer({ url: "https://..." })
(function () {
  "use strict";

  if (window.speedlayer && window.speedlayer.isTracker === true) return; // loaded twice
  var src = scriptURL();
  var tag = scriptTag(src);
  var api = attribute("data-api") || (src && new URL("/api/event", src).href);
  if (!api) {
    warn("the script does not know where to send: give its tag data-api");
    return;
  }
  var allowLocal = attribute("data-allow-local") !== null;
  var byHash = attribute("data-hash") !== null;

  var RETRIES = 4; // after 1, 2, 4 and 8 seconds
  var STORED = "speedlayer:"; // in localStorage, followed by the nonce
  var STORED_MAX = 20; // pageviews
  // The server drops duplicates for an hour. What is older is not sent again,
  // since it could be counted twice.
  var STORED_MS = 45 * 60 * 1000;
  var lastURL = null; // of the page that was sent last
  var lastPage = null; // the same as the server sees it
  var unanswered = {}; // by nonce, each { begun, fields }
  var told = false;

  // An element with a name or an id hides a property of the document.
  function ofDocument(name) {
    var value = document[name];
    if (!(value instanceof Object) || isScript(value)) return value;
    var own = Object.getOwnPropertyDescriptor(Document.prototype, name);
    return own && own.get ? own.get.call(document) : undefined;
  }

  function isScript(value) {
    return Boolean(value) && value.tagName === "SCRIPT" && typeof value.src === "string";
  }

  // A module has no current script. Then the stack of an error has the URL.
  function scriptURL() {
    var current = ofDocument("currentScript");
    if (isScript(current) && current.src) return current.src;
    var found = /https?:\/\/\S+?(?=:\d+(?::\d+)?\)?$)/m.exec(new Error().stack || "");
    return found ? found[0] : "";
  }

  function scriptTag(src) {
    var current = ofDocument("currentScript");
    if (isScript(current)) return current;
    var tags = Document.prototype.querySelectorAll.call(document, "script[src]");
    for (var i = 0; i < tags.length; i++) {
      if (tags[i].src === src) return tags[i];
    }
    return null;
  }

  function attribute(name) { return tag ? tag.getAttribute(name) : null; }

  function warn(text) {
    if (window.console) console.warn("speedlayer: " + text);
  }

  function isLocal() {
    return location.protocol === "file:" ||
      /^(localhost|127(\.\d+){3}|0\.0\.0\.0|\[::1\]|.*\.localhost)$/.test(location.hostname);
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

  // localStorage throws where a browser does not allow it.
  function storage(use) {
    try { return use(window.localStorage); } catch (e) { return undefined; }
  }

  function store(nonce) {
    var view = unanswered[nonce];
    storage(function (s) {
      var kept = storedKeys(s);
      if (kept.length >= STORED_MAX && kept.indexOf(STORED + nonce) < 0) return;
      s.setItem(STORED + nonce, JSON.stringify(view));
    });
  }

  function storedKeys(s) {
    return Object.keys(s).filter(function (key) { return key.indexOf(STORED) === 0; });
  }

  function forget(nonce) {
    delete unanswered[nonce];
    storage(function (s) { s.removeItem(STORED + nonce); });
  }

  // Sends what an earlier page, or this one, could not send.
  function sendStored() {
    storage(function (s) {
      storedKeys(s).forEach(function (key) {
        var nonce = key.slice(STORED.length);
        if (unanswered[nonce]) return; // under way
        var view = null;
        try { view = JSON.parse(s.getItem(key)); } catch (e) { /* not ours */ }
        if (!view || !view.fields || !(Date.now() - view.begun < STORED_MS)) {
          s.removeItem(key);
          return;
        }
        unanswered[nonce] = view;
        send(nonce, RETRIES);
      });
    });
  }

  // Sent as text/plain, so that browsers need not ask the other origin first;
  // keepalive lets it go on while the page is being left.
  function send(nonce, tries) {
    var view = unanswered[nonce];
    var fields = view.fields;
    var age = Date.now() - view.begun;
    if (age > 1000) fields.age = age; // in ms; the server's clock counts
    function again(seconds) {
      store(nonce);
      if (tries >= RETRIES) {
        delete unanswered[nonce]; // it stays stored, and goes with the next
        return;
      }
      setTimeout(function () { send(nonce, tries + 1); }, 1000 * Math.max(seconds, Math.pow(2, tries)));
    }
    fetch(api, {
      method: "POST",
      body: JSON.stringify(fields),
      keepalive: true,
      credentials: "omit",
      headers: { "Content-Type": "text/plain" }
    }).then(function (answer) {
      if (answer.status === 429 || answer.status === 408 || answer.status >= 500) {
        again(Number(answer.headers.get("Retry-After")) || 0);
        return;
      }
      forget(nonce);
    }, function () { again(0); });
  }

  function pageview(options) {
    var url = (options && options.url) || location.href;
    // Within an app the page before is the referrer.
    var referrer = lastURL || ofDocument("referrer") || null;
    lastURL = url;
    if (isLocal() && !allowLocal) {
      if (!told) warn("nothing is sent from localhost and file: pages; data-allow-local on the script's tag changes that");
      told = true;
      return;
    }
    var nonce = newNonce();
    var fields = { n: "pageview", u: url, d: location.hostname, r: referrer, nonce: nonce };
    if (byHash) fields.h = 1;
    unanswered[nonce] = { begun: Date.now(), fields: fields };
    send(nonce, 0);
    sendStored();
  }

  // The page of a url, as the server computes it: two spellings of one page are
  // not two pages. The query is not a part of it, nor are slashes at the end.
  function pageOf(href) {
    var url = new URL(href);
    var path = url.pathname.replace(/%[0-9a-f]{2}/gi, function (escape) {
      var c = String.fromCharCode(parseInt(escape.slice(1), 16));
      return /[\w.~-]/.test(c) ? c : escape.toUpperCase();
    });
    return url.host.replace(/\.$/, "") + trimmed(path) + fragmentOf(url.hash);
  }

  function fragmentOf(hash) {
    if (!byHash || !/^#[\/!]/.test(hash)) return "";
    var route = trimmed(hash.slice(1).split(/[?#]/)[0]);
    return route === "" || route === "!" ? "" : "#" + route;
  }

  function trimmed(path) { return path.replace(/\/+$/, ""); }

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
    // The answer to what is under way while a page is left comes to nobody.
    addEventListener("pagehide", function () { Object.keys(unanswered).forEach(store); });
  }

  function onDocument(call, name, listener) {
    EventTarget.prototype[call].call(document, name, listener);
  }

  // A page that is loaded ahead, or in a tab in the background, is not seen
  // until it is visible.
  function whenSeen(then) {
    function seen() { return ofDocument("visibilityState") === "visible" && ofDocument("prerendering") !== true; }
    if (seen()) return then();
    function check() {
      if (!seen()) return;
      onDocument("removeEventListener", "visibilitychange", check);
      onDocument("removeEventListener", "prerenderingchange", check);
      then();
    }
    onDocument("addEventListener", "visibilitychange", check);
    onDocument("addEventListener", "prerenderingchange", check);
  }

  pageview.isTracker = true;
  // An element whose id is speedlayer is a property of the window too; this hides it.
  Object.defineProperty(window, "speedlayer", { value: pageview, writable: true, configurable: true, enumerable: true });
  whenSeen(function () {
    follow();
    navigated();
  });
})();
