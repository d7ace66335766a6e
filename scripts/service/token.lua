-- POST /token with BODY bytes, for wrk; prints a line: requests, seconds, the latency in
-- milliseconds (p50, p99 and p99.9), failures.

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.body = string.rep("\0", tonumber(os.getenv("BODY")))

function done(summary, latency, requests)
   local errors = summary.errors
   local failures = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   local ms = function(percentile) return latency:percentile(percentile) / 1000 end
   io.write(string.format("result %d %.6f %.3f %.3f %.3f %d\n",
      summary.requests, summary.duration / 1e6, ms(50), ms(99), ms(99.9), failures))
end
