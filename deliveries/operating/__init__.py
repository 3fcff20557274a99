"""What an operator asks of a hub: one module for each command of `manage.py hub`.

command     what such a module offers
status      what is alive, what is waiting, and what is wrong
top         the same, live in the terminal
doctor      what of the settings, servers and limits is wrong, and what to do about it

`look` is what `status` and `top` show, `wrong` what it thinks of it, and `lines` how it is told.
"""
