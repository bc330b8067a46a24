-- What the loader stored of some files since a time: messages in readable reports,
-- set-aside ones among them, and how many of them were new. A message counts for the
-- file that brought it first.
WITH JSONExtract({names:String}, 'Array(String)') AS names,
    fromUnixTimestamp64Milli({since:Int64}, 'UTC') AS since,
    reports AS
    (
        SELECT client_id, any(messages) AS messages, any(set_aside) AS set_aside
        FROM client_reports
        WHERE loaded_time >= since AND has(names, source_file)
        GROUP BY client_id, received_time, source_file, report_index
    ),
    brought AS
    (
        SELECT client_id, serial, payload_hash
        FROM state_messages
        WHERE loaded_time >= since AND has(names, source_file)
    )
SELECT
    (SELECT toUInt64(sum(messages)) FROM reports) AS messages,
    (SELECT toUInt64(sum(set_aside)) FROM reports) AS set_aside,
    count() AS stored
FROM
(
    SELECT 1
    FROM state_messages
    WHERE client_id IN (SELECT client_id FROM reports) AND (client_id, serial, payload_hash) IN (brought)
    GROUP BY client_id, serial, payload_hash
    HAVING min(loaded_time) >= since AND has(names, argMin(source_file, (received_time, loaded_time, source_file)))
)
