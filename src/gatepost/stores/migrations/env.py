"""What Alembic runs to reach the database: the connection, already inside its transaction, comes from `upgrade`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
