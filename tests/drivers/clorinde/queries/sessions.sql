--! process
select pg_backend_pid() as process;
