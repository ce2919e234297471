-- One consistent view of the namespace. ARGV: every class of dead letters. Returns JSON.
return cjson.encode(stats_and_rates(now_ms(), ARGV))
