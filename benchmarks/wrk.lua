-- What `wrk` sends, as the environment says, and one line of figures when it is done.

local path = os.getenv("WRK_PATH")
local seed = tonumber(os.getenv("WRK_FIRST_SEED") or "")

if os.getenv("WRK_BODY") then
  wrk.method = "POST"
  wrk.body = os.getenv("WRK_BODY")
  wrk.headers["Content-Type"] = "application/json"
end

if os.getenv("WRK_IF_NONE_MATCH") then
  wrk.headers["If-None-Match"] = os.getenv("WRK_IF_NONE_MATCH")
end

if seed then
  request = function()
    seed = seed + 1
    return wrk.format(nil, path .. "&seed=" .. string.format("%.0f", seed))
  end
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
