"""Getting it there. A delivery goes through these stages, in this order:

fan_out     an event becomes one delivery for each subscription that matches (`inline_fan_out`: while it is inserted)
claim       a worker takes a batch of deliveries, under a lease
admit       those that may not go out now are given back unspent
authorize   access tokens for webhooks that take OAuth2; what has none yet is given back, and rung when it has one
limits      what a webhook's own limits have no room for stands in `line`, and is called when its turn comes
request     body, headers and signatures of each attempt
pacer       what a rate limit let go waits for its moment
engine      who is on the wire, and who waits for a place (`transport` speaks HTTP)
outcome     what came back, as one of five outcomes
schedule    the next attempt and its moment, or the end
record      attempts and deliveries written, many in one statement
sweep       whatever time has caught up with is rung again, or ended
tally       what was counted on the way is added up, by the minute and the hour
breaker     endpoints whose figures say that they are down are spared, probed, and led back by the rules of `circuit`

What is outstanding, and what was recorded lately, is read in `figures`; `operating` shows it to operators.

What people do to deliveries is in `cancel`, `retry_now`, `replay`, `move_expiry` and `try_out`; `jobs` does it to many; `forget`
removes what deleted accounts recorded.

`deliver` runs a batch from claim to record, `wire`, `recorder` and `token_desk` are what a worker process keeps open, `tasks`
is where Celery comes in.
"""
