-- Forty notification servers.
INSERT INTO notification_servers (server_id, server_name, online_clients, updated_time, epoch, reported_time)
SELECT 1 + number, concat('push', toString(number)), 0, now64(6, 'UTC'), 7, now64(6, 'UTC') FROM numbers(40)
