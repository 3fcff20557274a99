"""The front door for events: `POST /api/v1/events` and `/batch`, fast enough for the pipeline behind it.

door         an ASGI application in front of Django's: who may publish, how large a body may be
publication  a request's body, checked
group        the publications that wait, committed together
publish      one transaction for all of them
sink         the app above, which inserts them and rings for them
answer       what each is told

The same functions answer where there is no ASGI server, one publication at a time: `webhookhub.api.publishing`.
"""
