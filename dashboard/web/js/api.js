// The HTTP API, one function per question. Times are milliseconds here and RFC
// 3339 on the wire.

// ApiError is an answer that says no, or no answer at all (status 0). Asking
// again helps only where the fault may pass.
export class ApiError extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
  get passes() { return this.status === 0 || this.status === 429 || this.status >= 500; }
}

async function get(path, params, signal) {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === null) continue;
    q.set(name, name === 'from' || name === 'to' ? new Date(value).toISOString().replace('.000', '') : value);
  }
  let response;
  try {
    response = await fetch(`/api/v1/${path}?${q}`, { signal, headers: { accept: 'application/json' }, cache: 'no-store' });
  } catch (err) {
    if (err.name === 'AbortError') throw err;
    throw new ApiError(0, 'The server cannot be reached.');
  }
  if (response.ok) {
    try {
      return await response.json();
    } catch (err) {
      if (err.name === 'AbortError') throw err;
      throw new ApiError(0, 'The server stopped in the middle of an answer.');
    }
  }
  const problem = await response.json().catch(() => ({}));
  throw new ApiError(response.status, [problem.title, problem.detail].filter(Boolean).join(': ') || `The server answered ${response.status}.`);
}

// domains of all time: without a range the API takes the last 30 days.
export const domains = ({ from, to }, search, signal) => get('domains', { from, to, limit: 100, search }, signal);
export const pageviews = (url, { from, to }, by, signal) => get('pageviews', { url, from, to, by }, signal);
export const uniques = (url, { from, to }, by, signal) => get('uniques', { url, from, to, by }, signal);
export const bounceRate = (domain, { from, to }, by, signal) => get('bounce-rate', { domain, from, to, by }, signal);
export const accuracy = (signal) => get('accuracy', {}, signal);
export const top = (domain, { from, to }, limit, signal) => get('top', { domain, from, to, limit }, signal);
