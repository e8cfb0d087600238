-- Small requests for wrk. The environment says what: LOAD_METHOD, LOAD_TARGET (with {id}),
-- LOAD_PREFIX of the ids, LOAD_AUTHORIZATION, LOAD_FORM (json, raw, or none for a GET),
-- LOAD_COUNT of the ids that a GET may ask for. LOAD_FILE, when it isn't empty, holds the body of
-- every request, and LOAD_HEADERS its headers, a line each. Prints one line of JSON at the end.
-- Every id is new, and every body differs from the others in its first 16 characters.

local method = os.getenv("LOAD_METHOD")
local target = os.getenv("LOAD_TARGET")
local prefix = os.getenv("LOAD_PREFIX")
local form = os.getenv("LOAD_FORM")
local limit = tonumber(os.getenv("LOAD_COUNT"))
local filling = os.getenv("LOAD_FILLING")
local authorization = os.getenv("LOAD_AUTHORIZATION")

local headers = {}
if authorization ~= "" then headers["Authorization"] = authorization end
if form == "json" then headers["Content-Type"] = "application/json" end
local path, file = os.getenv("LOAD_FILE"), nil
if path ~= "" then
  local handle = assert(io.open(path, "rb"))
  file = handle:read("*all")
  handle:close()
  for name, value in os.getenv("LOAD_HEADERS"):gmatch("([^\n:]+): ([^\n]+)") do
    headers[name] = value
  end
end
if form == "raw" then headers["Content-Type"] = "application/octet-stream" end

local before, after = target:match("^(.-){id}(.*)$")
if not before then before, after = target, nil end
local count = 0

function request()
  if file then return wrk.format(method, target, headers, file) end
  local number = count
  count = count + 1
  local body = nil
  if form == "none" then
    number = number % limit
  else
    body = string.format("%016x", number) .. filling
  end
  local id = prefix .. number
  if form == "json" then body = '{"id":"' .. id .. '","data":"' .. body .. '"}' end
  return wrk.format(method, after and (before .. id .. after) or before, headers, body)
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50":%.3f,"p99":%.3f,"max":%.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
