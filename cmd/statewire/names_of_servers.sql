-- The names of the notification servers, by their numbers.
SELECT server_id, server_name
FROM notification_servers FINAL
