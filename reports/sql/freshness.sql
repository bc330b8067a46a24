-- title: Age of the data
-- group: Site
-- description: When the site last received and stored anything: how far every other report may be behind.
-- note age_seconds: empty when there is no such event yet
SELECT
    event.1 AS what,
    event.2 AS at,
    dateDiff('second', event.2, now64(3, 'UTC')) AS age_seconds
FROM
(
    SELECT arrayJoin([
        ('newest report received', (SELECT nullIf(max(received_time), toDateTime64(0, 3, 'UTC')) FROM client_reports)),
        ('last report stored', (SELECT nullIf(max(loaded_time), toDateTime64(0, 3, 'UTC')) FROM clients_seen)),
        ('last heartbeat', (SELECT nullIf(max(time), toDateTime64(0, 3, 'UTC')) FROM component_status)),
        ('last bad file', (SELECT nullIf(max(set_aside_time), toDateTime64(0, 3, 'UTC')) FROM bad_files))]) AS event
)
