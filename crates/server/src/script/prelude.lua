-- The world of a script. Run once per interpreter, with the host's functions as `host`.
-- Returns the function that runs a script, and the tables that the host fills.
local host = ...

local error, type, tostring, xpcall, frame = error, type, tostring, xpcall, host.frame
local rawget, rawset, setmetatable, getmetatable, select, pairs =
  rawget, rawset, setmetatable, getmetatable, select, pairs

-- What the script that runs now calls; the host sets it for each run.
local context = {}

local function is_script(source)
  return source == '@user_script' or source == '@user_function'
end

-- Where the script was when an error happened.
local function locate(err)
  for level = 1, 200 do
    local source, line = frame(level)
    if not source then return end
    if is_script(source) then
      err.source, err.line = source, line
      return
    end
  end
end

local function handle(err)
  if type(err) ~= 'table' then
    err = { err = 'ERR ' .. tostring(err) }
  end
  if err.source == nil then locate(err) end
  return err
end

local function raise(text)
  error({ err = text }, 0)
end

local redis = {}

function redis.call(...)
  local failed, result = context.call(0, ...)
  if failed then
    error(result, 0)
  end
  return result
end

function redis.pcall(...)
  local _, result = context.call(1, ...)
  return result
end

function redis.error_reply(text)
  if type(text) ~= 'string' or select('#', text) ~= 1 then
    return { err = 'ERR wrong number or type of arguments' }
  end
  if text:sub(1, 1) ~= '-' then
    -- A text without a code gets the general one.
    if not text:find(' ', 1, true) then text = 'ERR ' .. text end
  else
    text = text:sub(2)
  end
  return { err = text }
end

function redis.status_reply(text)
  if type(text) ~= 'string' then
    return { err = 'ERR wrong number or type of arguments' }
  end
  return { ok = text }
end

function redis.sha1hex(...)
  if select('#', ...) ~= 1 then raise('ERR wrong number of arguments') end
  return host.sha1hex(tostring((...)))
end

function redis.log(...)
  if select('#', ...) < 2 then
    raise('ERR redis.log() requires two arguments or more.')
  end
  local level = ...
  if type(level) ~= 'number' then
    raise('ERR First argument must be a number (log level).')
  end
  if level < 0 or level > 3 then raise('ERR Invalid log level.') end
  local words = {}
  for i = 2, select('#', ...) do words[#words + 1] = tostring((select(i, ...))) end
  host.log(level, table.concat(words, ' '))
end

function redis.setresp(...)
  if select('#', ...) ~= 1 then raise('ERR redis.setresp() requires one argument.') end
  local version = ...
  if version ~= 2 and version ~= 3 then raise('ERR RESP version must be 2 or 3.') end
  context.call(2, version)
end

function redis.set_repl(...)
  if select('#', ...) ~= 1 then raise('ERR redis.set_repl() requires two arguments.') end
  local flags = ...
  if type(flags) ~= 'number' or flags < 0 or flags > 3 then
    raise('ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.')
  end
  context.call(3, flags)
end

function redis.replicate_commands() return true end
function redis.breakpoint() return false end
function redis.debug() end

function redis.acl_check_cmd(...)
  if select('#', ...) == 0 then
    raise('ERR Please specify at least one argument for this redis.acl_check_cmd() call')
  end
  local failed, result = context.call(4, ...)
  if failed then error(result, 0) end
  return result
end

redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3
redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL =
  0, 1, 2, 2, 3
redis.REDIS_VERSION, redis.REDIS_VERSION_NUM = host.version, host.version_num

-- Nobody may change what all scripts share.
local function read_only()
  error('Attempt to modify a readonly table', 2)
end

local function protect(library)
  return setmetatable({}, { __index = library, __newindex = read_only, __metatable = false })
end

local allowed = {
  'assert', 'collectgarbage', 'error', 'gcinfo', 'getmetatable', 'ipairs', 'load',
  'loadstring', 'next', 'pairs', 'pcall', 'rawequal', 'rawget', 'rawset', 'select',
  'setmetatable', 'tonumber', 'tostring', 'type', 'unpack', 'xpcall', '_VERSION',
}
local world = {}
for _, name in pairs(allowed) do world[name] = _G[name] end
for _, name in pairs({ 'string', 'table', 'math', 'coroutine' }) do
  world[name] = protect(_G[name])
end
world.os = nil
for name, library in pairs(host.libraries) do world[name] = protect(library) end
world.redis = protect(redis)
getmetatable('').__metatable = false

local environment = {}
world._G = environment
setmetatable(environment, {
  __index = function(_, name)
    local value = world[name]
    if value == nil then
      error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
    end
    return value
  end,
  __newindex = read_only,
  __metatable = false,
})

-- Chunks made at run time live in the same world; bytecode is refused, as it can be
-- made to break the interpreter.
local loadstring, load, setfenv = loadstring, load, setfenv
local function confined(chunk, message)
  if not chunk then return nil, message end
  return setfenv(chunk, environment)
end
function world.loadstring(text, name)
  if type(text) == 'string' and text:byte(1) == 27 then
    return nil, 'binary chunks are not allowed'
  end
  return confined(loadstring(text, name))
end
function world.load(reader, name)
  if type(reader) ~= 'function' then return nil, 'bad argument' end
  local pieces = {}
  while true do
    local piece = reader()
    if piece == nil or piece == '' then break end
    pieces[#pieces + 1] = piece
  end
  return world.loadstring(table.concat(pieces), name or '=(load)')
end
function world.rawset(table, key, value)
  if getmetatable(table) == false then error('Attempt to modify a readonly table', 2) end
  return rawset(table, key, value)
end
function world.setmetatable(table, meta)
  return setmetatable(table, meta)
end

local function run(body, call, ...)
  context.call = call
  local arguments, count = { ... }, select('#', ...)
  local ok, result = xpcall(function() return body(unpack(arguments, 1, count)) end, handle)
  context.call = nil
  return ok, result
end

return run, world, environment
