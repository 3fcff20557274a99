"""Getting it there. A delivery goes through these stages, in this order:

fan_out     an event becomes one delivery for each subscription that matches
claim       a worker takes a batch of deliveries, under a lease
admit       those that may not go out now are given back unspent
request     body, headers and signatures of each attempt
engine      who is on the wire, and who waits for a place (`transport` speaks HTTP)
outcome     what came back, as one of five outcomes
schedule    the next attempt and its moment, or the end
record      attempts and deliveries written, many in one statement
sweep       whatever time has caught up with is rung again, or ended

`deliver` runs a batch from claim to record, `wire` and `recorder` are what a worker process keeps open, `tasks` is where
Celery comes in.
"""
