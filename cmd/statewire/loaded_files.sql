-- What the loader stored of some files since a time: messages in readable reports,
-- set-aside ones among them, how many of them were new, and how many of those came
-- under a serial that a different message had. A message counts for the file that
-- brought it first.
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
    ),
    versions AS
    (
        SELECT
            client_id,
            serial,
            payload_hash,
            min(loaded_time) AS loaded,
            loaded >= since AND has(names, argMin(source_file, (received_time, loaded_time, source_file))) AS fresh
        FROM state_messages
        WHERE client_id IN (SELECT client_id FROM reports)
          AND ((client_id, serial, payload_hash) IN (brought) OR serial > 0 AND (client_id, serial) IN (SELECT client_id, serial FROM brought))
        GROUP BY client_id, serial, payload_hash
    )
SELECT
    (SELECT toUInt64(sum(messages)) FROM reports) AS messages,
    (SELECT toUInt64(sum(set_aside)) FROM reports) AS set_aside,
    toUInt64(sum(news)) AS stored,
    toUInt64(sumIf(news - first_is_new, serial > 0)) AS conflicts
FROM
(
    SELECT client_id, serial, countIf(fresh) AS news, toUInt64(argMin(fresh, (loaded, payload_hash))) AS first_is_new
    FROM versions
    GROUP BY client_id, serial
)
