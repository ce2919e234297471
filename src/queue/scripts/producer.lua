-- Writes down what the next producer must know of this fetch, in place of what was known. One script and not
-- a transaction: Redis refuses every transaction while it is full. ARGV: field, value pairs.
redis.call('DEL', key('producer'))
for i = 1, #ARGV, 2 do redis.call('HSET', key('producer'), ARGV[i], ARGV[i + 1]) end
return redis.status_reply('OK')
