-- What the store has set aside under some names and no other end has ended: how many records, whose, and up to when.
--   What a replay has set aside anew is not meant: as is its file, or empty.
WITH
    records AS
    (
        SELECT
            if(kept_as != '', kept_as, concat(source_file, '.', toString(record_index), '.SMX')) AS name,
            client_id, source_file, report_index, received_time, set_aside_time
        FROM set_aside_records FINAL
        WHERE name IN ({names:Array(String)}) AND source_file != {as:String}
    ),
    kept AS
    (
        SELECT name, client_id, received_time, set_aside_time, 1 AS number
        FROM records
        WHERE (client_id, received_time, source_file, report_index) IN
            (
                SELECT client_id, received_time, source_file, report_index FROM client_reports FINAL
                WHERE set_aside > 0 AND dropped = 0 AND client_id IN (SELECT client_id FROM records)
            )
        UNION ALL
        SELECT name, toUUID('00000000-0000-0000-0000-000000000000'), set_aside_time, set_aside_time, 0
        FROM bad_files FINAL
        WHERE name IN ({names:Array(String)}) AND {as:String} = ''
    ),
    latest AS
    (
        SELECT name, max(set_aside_time) AS until FROM kept GROUP BY name
    ),
    ends AS
    (
        SELECT e.name AS name, max(e.until) AS last_end
        FROM set_aside_ends AS e
        INNER JOIN latest ON latest.name = e.name
        WHERE e.until != latest.until
        GROUP BY e.name
    )
SELECT
    kept.name,
    max(kept.set_aside_time),
    max(kept.client_id),
    min(kept.received_time),
    toUInt32(sumIf(kept.number, kept.set_aside_time > ends.last_end))
FROM kept
LEFT JOIN ends ON ends.name = kept.name
GROUP BY kept.name
