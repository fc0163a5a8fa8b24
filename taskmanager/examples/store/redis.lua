#!lua name=tasks
-- A store of tasks in Redis 7, see README.md. Load it with FUNCTION LOAD REPLACE, and call it with FCALL name 0 and
-- the arguments. A hash task:NAME is the row, and a sorted set due:KIND holds the names of a kind by the time at which
-- they may be taken. Times and durations are in milliseconds. Each function is atomic.

-- The clock is that of Redis, so those of the processes may differ.
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function key(name) return 'task:' .. name end

local function delete(name)
  redis.call('ZREM', 'due:' .. redis.call('HGET', key(name), 'kind'), name)
  redis.call('DEL', key(name))
end

local function take_at(name, time) redis.call('ZADD', 'due:' .. redis.call('HGET', key(name), 'kind'), time, name) end

-- holds reports whether the lease of a token is the last one of the task.
local function holds(name, token) return redis.call('HGET', key(name), 'token') == token end

-- insert NAME KIND PAYLOAD DUE returns 0 for errExists.
local function insert(_, args)
  local name, due = args[1], math.max(now(), tonumber(args[4]))
  if redis.call('EXISTS', key(name)) == 1 then return 0 end
  redis.call('HSET', key(name), 'kind', args[2], 'payload', args[3], 'queued', due, 'crashes', 0)
  take_at(name, due)
  return 1
end

-- remove NAME returns 0 if there is no such task.
local function remove(_, args)
  if redis.call('EXISTS', key(args[1])) == 0 then return 0 end
  delete(args[1])
  return 1
end

-- lease N VALID KIND... returns the name, kind, payload, token, crashes, history and queued of each task. History is
-- nil before the first give_back; QueuedAt is queued then.
local function lease(_, args)
  local n, time, found, taken = tonumber(args[1]), now(), {}, {}
  for i = 3, #args do
    local names = redis.call('ZRANGE', 'due:' .. args[i], '-inf', time, 'BYSCORE', 'LIMIT', 0, n, 'WITHSCORES')
    for j = 1, #names, 2 do table.insert(found, {name = names[j], due = tonumber(names[j + 1])}) end
  end
  table.sort(found, function(a, b) return a.due < b.due end)
  for i = 1, math.min(n, #found) do
    local name = found[i].name
    if redis.call('HEXISTS', key(name), 'token') == 1 then redis.call('HINCRBY', key(name), 'crashes', 1) end
    redis.call('HSET', key(name), 'token', redis.call('INCR', 'tokens'))
    take_at(name, time + args[2])
    local row = redis.call('HMGET', key(name), 'kind', 'payload', 'token', 'crashes', 'history', 'queued')
    table.insert(row, 1, name)
    table.insert(taken, row)
  end
  return taken
end

-- renew VALID NAME TOKEN... returns the tokens that are lost.
local function renew(_, args)
  local lost = {}
  for i = 2, #args, 2 do
    if holds(args[i], args[i + 1]) then
      take_at(args[i], now() + args[1])
    else
      table.insert(lost, args[i + 1])
    end
  end
  return lost
end

-- complete NAME TOKEN, and the functions below, return 0 for errLost.
local function complete(_, args)
  if not holds(args[1], args[2]) then return 0 end
  delete(args[1])
  return 1
end

-- give_back NAME TOKEN HISTORY DELAY
local function give_back(_, args)
  local name = args[1]
  if not holds(name, args[2]) then return 0 end
  redis.call('HDEL', key(name), 'token')
  redis.call('HSET', key(name), 'history', args[3], 'crashes', 0)
  take_at(name, now() + args[4])
  return 1
end

-- bury NAME TOKEN REASON
local function bury(_, args)
  local name = args[1]
  if not holds(name, args[2]) then return 0 end
  local row = redis.call('HMGET', key(name), 'kind', 'payload')
  redis.call('XADD', 'dead', '*', 'name', name, 'kind', row[1], 'payload', row[2], 'reason', args[3])
  delete(name)
  return 1
end

redis.register_function('insert', insert)
redis.register_function('remove', remove)
redis.register_function('lease', lease)
redis.register_function('renew', renew)
redis.register_function('complete', complete)
redis.register_function('give_back', give_back)
redis.register_function('bury', bury)
