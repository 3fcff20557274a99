"""How is the hub doing? Read functions with frozen values, each of some milliseconds however much is stored.

overview    all that is asked about the present at once
backlog     what is outstanding now, and for how long it has been due
history     what was recorded, minute by minute or hour by hour
endpoints   the slowest and the most failing webhooks of the last hour or day
counters    what was counted since the hub began
"""
