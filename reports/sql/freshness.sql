-- title: Age of the data
-- group: Site
-- columns: what!, at!, age_seconds
-- empty: nothing is stored yet
-- description: When the site last received and stored anything: how far every other report may be behind. Where clients
--   are in more than 300,000 states, counts of whole topics may lack what was stored after the last summary; counts of
--   one topic id lack nothing.
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
        ('last summary of topics', (
            SELECT if(sum(arraySum(clients)) > 300000,
                (SELECT toNullable(argMax(until, number)) FROM summary_progress WHERE job = 'subjects'), NULL)
            FROM subject_now FINAL)),
        ('last heartbeat', (SELECT nullIf(max(time), toDateTime64(0, 3, 'UTC')) FROM component_status WHERE event = 'heartbeat')),
        ('last bad file', (SELECT nullIf(max(set_aside_time), toDateTime64(0, 3, 'UTC')) FROM bad_files))]) AS event
)
