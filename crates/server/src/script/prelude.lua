-- The world of a script. Run once per interpreter, with the host's functions as `host`.
-- Returns the handler of a script's errors, the tables that the host fills, and what loads
-- a library of functions.
local host = ...

local error, type, tostring, xpcall, frame = error, type, tostring, xpcall, host.frame
local rawget, rawset, setmetatable, getmetatable, select, pairs, ipairs, next =
  rawget, rawset, setmetatable, getmetatable, select, pairs, ipairs, next

-- The script's frame that an error came from: the first that is neither the host's nor
-- this file's. Lua forgets frames that ended in a tail call; the chunk is known then, and
-- its last `return` is the best guess at the line.
local function origin()
  for level = 1, 60 do
    local source, line, short = frame(level)
    if not source then return end
    if source == '=(tail call)' then
      local chunk, guess = host.chunk()
      return chunk, guess, chunk:sub(2)
    end
    if source ~= '=prelude' and source ~= '=[C]' then return source, line, short end
  end
end

local function handle(err)
  if type(err) ~= 'table' then
    local text = tostring(err)
    if type(err) == 'userdata' then
      -- The host's errors come with a trace of the stack.
      text = text:match('^[^\n]*'):gsub('^runtime error: ', '')
    end
    err = { err = 'ERR ' .. text }
  end
  local source, line = origin()
  if source then err.source, err.line = source, line end
  return err
end

-- Raises a message as the host's own libraries do: with the place of the call.
local function fail(message)
  local level = 1
  while frame(level) == '=prelude' do level = level + 1 end
  local source, line, short = frame(level)
  if source == '=(tail call)' then
    local chunk, guess = host.chunk()
    line, short = guess, chunk:sub(2)
  end
  if source and source ~= '=[C]' then message = short .. ':' .. line .. ': ' .. message end
  error(message, 0)
end

local function raise(text)
  error({ err = text }, 0)
end

local math, tonumber = math, tonumber
local redis = { call = host.call, pcall = host.pcall }

function redis.error_reply(...)
  local text = ...
  if type(text) ~= 'string' or select('#', ...) ~= 1 then
    return { err = 'ERR wrong number or type of arguments' }
  end
  if text:sub(1, 1) == '-' then text = text:sub(2) end
  -- A text without a code gets the general one.
  if not text:find(' ', 1, true) then text = 'ERR ' .. text end
  return { err = text }
end

function redis.status_reply(...)
  local text = ...
  if type(text) ~= 'string' or select('#', ...) ~= 1 then
    return { err = 'ERR wrong number or type of arguments' }
  end
  return { ok = text }
end

function redis.sha1hex(...)
  if select('#', ...) ~= 1 then raise('ERR wrong number of arguments') end
  local text = ...
  if type(text) ~= 'string' and type(text) ~= 'number' then text = '' end
  return host.sha1hex(tostring(text))
end

function redis.log(...)
  if select('#', ...) < 2 then
    raise('ERR redis.log() requires two arguments or more.')
  end
  local level = ...
  if type(level) ~= 'number' then
    raise('ERR First argument must be a number (log level).')
  end
  if level < 0 or level > 3 then raise('ERR Invalid debug level.') end
  local words = {}
  for i = 2, select('#', ...) do words[#words + 1] = tostring((select(i, ...))) end
  host.log(level, table.concat(words, ' '))
end

function redis.setresp(...)
  if select('#', ...) ~= 1 then raise('ERR redis.setresp() requires one argument.') end
  local version = math.floor(tonumber((...)) or 0)
  if version ~= 2 and version ~= 3 then raise('ERR RESP version must be 2 or 3.') end
  host.speak(version)
end

function redis.set_repl(...)
  if select('#', ...) ~= 1 then raise('ERR redis.set_repl() requires two arguments.') end
  local flags = math.floor(tonumber((...)) or 0)
  if flags < 0 or flags > 3 then
    raise('ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.')
  end
  host.propagate_to(flags)
end

function redis.replicate_commands() return true end
function redis.breakpoint() return false end
function redis.debug() end

function redis.acl_check_cmd(...)
  if select('#', ...) == 0 then
    raise('ERR Please specify at least one argument for this redis lib call')
  end
  for i = 1, select('#', ...) do
    local kind = type((select(i, ...)))
    if kind ~= 'string' and kind ~= 'number' then
      raise('ERR Lua redis lib command arguments must be strings or integers')
    end
  end
  local refused = host.check(tostring((...)))
  if refused then raise(refused) end
  return true
end

redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3
redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL =
  0, 1, 2, 2, 3
redis.REDIS_VERSION, redis.REDIS_VERSION_NUM = host.version, host.version_num


-- Libraries -------------------------------------------------------------------------

-- The host's libraries return true and their results, or false and a message.
local function packed(...)
  return { n = select('#', ...), ... }
end

local several = {
  unpack = true, unpack_one = true, unpack_limit = true, encode_sparse_array = true,
}

local guard_all

local function guard(name, raw)
  if type(raw) ~= 'function' then return raw end
  if name == 'new' then
    return function()
      local _, library = raw()
      return guard_all(library)
    end
  end
  if several[name] then
    return function(...)
      local results = packed(raw(...))
      if not results[1] then fail(results[2]) end
      return unpack(results, 2, results.n)
    end
  end
  return function(...)
    local ok, result = raw(...)
    if not ok then fail(result) end
    return result
  end
end

function guard_all(library)
  local guarded = {}
  for name, value in pairs(library) do guarded[name] = guard(name, value) end
  return guarded
end

-- Protection ------------------------------------------------------------------------

-- Nobody may change what all scripts share.
local READ_ONLY = 'Attempt to modify a readonly table'
local function read_only()
  error(READ_ONLY, 2)
end

-- What stands behind each table that scripts see but must not change.
local contents = setmetatable({}, { __mode = 'k' })

local function protect(library)
  local face = setmetatable({}, { __index = library, __newindex = read_only, __metatable = false })
  contents[face] = library
  return face
end

local function missing(name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 3)
end

-- As `protect`, but what is not there is an error.
local function protect_strictly(library)
  local face = setmetatable({}, {
    __index = function(_, name)
      local value = library[name]
      if value == nil then missing(name) end
      return value
    end,
    __newindex = read_only,
    __metatable = false,
  })
  contents[face] = library
  return face
end

-- The globals -----------------------------------------------------------------------

local allowed = {
  'assert', 'collectgarbage', 'error', 'gcinfo', 'ipairs', 'rawequal', 'select', 'tonumber',
  'tostring', 'type', 'unpack', '_VERSION',
}
local shared = {}
for _, name in pairs(allowed) do shared[name] = _G[name] end

local string_meta = getmetatable('')
local insert, floor = table.insert, math.floor
local tables = { string = {}, table = {}, math = {}, coroutine = {} }
for name, copy in pairs(tables) do
  for key, value in pairs(_G[name]) do copy[key] = value end
end
function tables.table.insert(list, ...)
  if contents[list] then error(READ_ONLY, 0) end
  return insert(list, ...)
end

-- Random numbers as the host draws them.
local function bounded(low, high, argument)
  if low > high then
    fail("bad argument #" .. argument .. " to 'random' (interval is empty)")
  end
  return floor(host.random() * (high - low + 1)) + low
end
function tables.math.random(...)
  local count, low, high = select('#', ...), ...
  if count == 0 then return host.random() end
  if count > 2 then fail('wrong number of arguments') end
  for i = 1, count do
    if not tonumber((select(i, ...))) then
      fail("bad argument #" .. i .. " to 'random' (number expected, got " ..
        type((select(i, ...))) .. ')')
    end
  end
  if count == 1 then return bounded(1, floor(low), 1) end
  return bounded(floor(low), floor(high), 2)
end
function tables.math.randomseed(seed)
  if not tonumber(seed) then
    fail("bad argument #1 to 'randomseed' (number expected, got " ..
      (seed == nil and 'no value' or type(seed)) .. ')')
  end
  host.seed(tonumber(seed))
end

for name, copy in pairs(tables) do shared[name] = protect(copy) end
for name, library in pairs(host.libraries) do shared[name] = protect(guard_all(library)) end

-- Nothing reaches the host's own string table through a string.
string_meta.__index = tables.string
local string_face = protect({ __index = shared.string })
string_meta.__metatable = string_face

local function wrong_table(name, value, count)
  fail("bad argument #1 to '" .. name .. "' (table expected, got " ..
    (count == 0 and 'no value' or type(value)) .. ')')
end

local function walk(face, key)
  return next(contents[face], key)
end
function shared.pairs(...)
  local list = ...
  if type(list) ~= 'table' then wrong_table('pairs', list, select('#', ...)) end
  if contents[list] then return walk, list, nil end
  return next, list, nil
end
function shared.next(...)
  local list, key = ...
  if type(list) ~= 'table' then wrong_table('next', list, select('#', ...)) end
  return next(contents[list] or list, key)
end
function shared.rawget(...)
  local list, key = ...
  if type(list) ~= 'table' then wrong_table('rawget', list, select('#', ...)) end
  return rawget(contents[list] or list, key)
end
function shared.rawset(list, key, value)
  if contents[list] then error(READ_ONLY, 0) end
  return rawset(list, key, value)
end
function shared.setmetatable(list, meta)
  if contents[list] then error(READ_ONLY, 0) end
  return setmetatable(list, meta)
end
local global_meta = protect({})
function shared.getmetatable(value)
  local behind = type(value) == 'table' and contents[value]
  if behind then
    if behind._G == value then return global_meta end
    return nil
  end
  return getmetatable(value)
end

-- An error that is a table with a text is but the text to a script that catches it. What
-- the host raises (a script that is killed) is not to be caught.
local function caught(ok, ...)
  if ok then return true, ... end
  local err = ...
  if type(err) == 'userdata' then error(err, 0) end
  if type(err) == 'table' then
    local text = rawget(err, 'err')
    if type(text) == 'string' or type(text) == 'number' then return false, text end
  end
  return false, err
end
local pcall = pcall
function shared.pcall(...)
  return caught(pcall(...))
end
local function uncaught(ok, ...)
  if not ok and type((...)) == 'userdata' then error((...), 0) end
  return ok, ...
end
function shared.xpcall(body, handler)
  return uncaught(xpcall(body, function(err)
    if type(err) == 'userdata' then return err end
    return handler(err)
  end))
end

-- Behind the tables of globals: what they have not is not there.
local nothing = { __index = function(_, name) missing(name) end }

-- What scripts have for globals: a face of `world`. A global is found by the interpreter
-- itself, along two tables. Also returns what says which world that is.
local function environment_of(world)
  local view = { __index = world, __newindex = read_only, __metatable = false }
  local environment = setmetatable({}, view)
  setmetatable(world, nothing)
  contents[environment] = world
  world._G = environment

  -- Chunks made at run time live in the same world; bytecode is refused, as it can be
  -- made to break the interpreter.
  local loadstring, setfenv = loadstring, setfenv
  local function confined(chunk, message)
    if not chunk then return nil, message end
    return setfenv(chunk, environment)
  end
  function world.loadstring(text, name)
    if type(text) ~= 'string' then
      if type(text) ~= 'number' then
        fail("bad argument #1 to 'loadstring' (string expected, got " ..
          (text == nil and 'no value' or type(text)) .. ')')
      end
      text = tostring(text)
    end
    if text:byte(1) == 27 then
      return nil, 'attempt to load chunk with wrong mode'
    end
    return confined(loadstring(text, name))
  end
  function world.load(reader, name)
    if type(reader) ~= 'function' then
      fail("bad argument #1 to 'load' (function expected, got " ..
        (reader == nil and 'no value' or type(reader)) .. ')')
    end
    local pieces = {}
    while true do
      local piece = reader()
      if piece == nil or piece == '' then break end
      pieces[#pieces + 1] = piece
    end
    return world.loadstring(table.concat(pieces), name or '=(load)')
  end
  return environment, view
end

-- The world of EVAL has KEYS and ARGV, which the host sets.
local world = {}
for name, value in pairs(shared) do world[name] = value end
world.redis = protect(redis)
local environment = environment_of(world)

-- The world of functions.
local function_redis = {}
for name, value in pairs(redis) do function_redis[name] = value end
function_redis.replicate_commands, function_redis.breakpoint, function_redis.debug = nil, nil, nil
local function_world = {}
for name, value in pairs(shared) do function_world[name] = value end
function_world.redis = protect(function_redis)
local function_environment, function_view = environment_of(function_world)

-- Functions -------------------------------------------------------------------------

-- What a library of functions sees while it is loaded.
local registry = {
  log = redis.log,
  REDIS_VERSION = redis.REDIS_VERSION, REDIS_VERSION_NUM = redis.REDIS_VERSION_NUM,
}
for name, value in pairs(redis) do
  if name:sub(1, 4) == 'LOG_' then registry[name] = value end
end
local loading_world = setmetatable({ redis = protect_strictly(registry) }, nothing)

local function is_text(value)
  return type(value) == 'string' or type(value) == 'number'
end

local function named_arguments(arguments)
  local given = {}
  for key, value in pairs(arguments) do
    if not is_text(key) then
      raise('ERR named argument key given to redis.register_function is not a string')
    elseif key == 'function_name' then
      if not is_text(value) then
        raise('ERR function_name argument given to redis.register_function must be a string')
      end
      given.name = tostring(value)
    elseif key == 'description' then
      if not is_text(value) then
        raise('ERR description argument given to redis.register_function must be a string')
      end
      given.description = tostring(value)
    elseif key == 'callback' then
      if type(value) ~= 'function' then
        raise('ERR callback argument given to redis.register_function must be a function')
      end
      given.callback = value
    elseif key == 'flags' then
      if type(value) ~= 'table' then
        raise('ERR flags argument to redis.register_function must be a table representing function flags')
      end
      given.flags = {}
      for i, flag in ipairs(value) do
        if not is_text(flag) or not host.is_flag(tostring(flag)) then raise('ERR unknown flag given') end
        given.flags[i] = tostring(flag)
      end
    else
      raise('ERR unknown argument given to redis.register_function')
    end
  end
  if not given.name then
    raise('ERR redis.register_function must get a function name argument')
  end
  if not given.callback then
    raise('ERR redis.register_function must get a callback argument')
  end
  return given
end

-- The functions of the library that is being loaded.
local registered

function registry.register_function(...)
  if not registered then
    raise('ERR redis.register_function can only be called on FUNCTION LOAD command')
  end
  local count, first, second = select('#', ...), ...
  local given
  if count < 1 or count > 2 then
    raise('ERR wrong number of arguments to redis.register_function')
  elseif count == 1 then
    if type(first) ~= 'table' then
      raise('ERR calling redis.register_function with a single argument is only applicable to ' ..
        'Lua table (representing named arguments).')
    end
    given = named_arguments(first)
  else
    if not is_text(first) then
      raise('ERR first argument to redis.register_function must be a string')
    end
    if type(second) ~= 'function' then
      raise('ERR second argument to redis.register_function must be a function')
    end
    given = { name = tostring(first), callback = second }
  end
  if not given.name:find('^[%w_]+$') then
    raise('ERR Library names can only contain letters, numbers, or underscores(_) and must be ' ..
      'at least one character long')
  end
  for _, other in ipairs(registered) do
    if other.name == given.name then raise('ERR Function already exists in the library') end
  end
  insert(registered, given)
end

-- Runs a library's text; returns what it registered, or the error.
local function load_library(body)
  local functions = {}
  registered, function_view.__index = functions, loading_world
  local ok, err = xpcall(body, handle)
  registered, function_view.__index = nil, function_world
  if ok then return true, functions end
  return false, err
end

return handle, world, environment, function_environment, load_library
