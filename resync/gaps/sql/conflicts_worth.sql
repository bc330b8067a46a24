-- Whether there is anything to look at: messages loaded since a time, completions, clients known for longer than the
-- retention.
SELECT
    (SELECT count() FROM (SELECT 1 FROM state_messages
        WHERE state_messages.loaded_time >= {since:DateTime64(3, 'UTC')} LIMIT 1)) > 0,
    (SELECT count() FROM (SELECT 1 FROM completions_data LIMIT 1)) > 0,
    (SELECT count() FROM (SELECT 1 FROM clients_seen
        WHERE clients_seen.first_report_time < {kept_from:DateTime64(6, 'UTC')} LIMIT 1)) > 0
