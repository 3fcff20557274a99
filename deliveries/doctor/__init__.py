"""What of a hub is wrong, and what is to be done about it? `manage.py hub doctor` asks each of these in turn.

finding        what an examination says
configuration  settings, misspelt variables, Celery's settings, the encryption keys
machine        versions of the packages, room for connections to receivers
database       PostgreSQL: its version, limits, settings and clock, migrations, partitions
broker         Redis, Valkey or RabbitMQ: its version, memory, what survives a restart
schedule       whether celery-beat ticks, and somebody does what is due
"""
