// Requests, and what went wrong with them told by the problem details of the answer (RFC 9457).

export class Problem extends Error {
  constructor(status, code, retryAfter) {
    super(code);
    this.status = status;
    this.code = code;
    /** Seconds, when the server said so. */
    this.retryAfter = retryAfter;
  }
}

/** Fetches and throws a Problem for every answer that is not 2xx. */
export async function request(url, options) {
  const answer = await fetch(url, { cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer", ...options });
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, body.code ?? "unavailable", Number(answer.headers.get("retry-after")) || 0);
}
