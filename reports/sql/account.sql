-- title: Account of what arrived
-- group: Site
-- columns: loaded!, stored!, duplicate, set_aside, dropped, bad_files
-- empty: no message was ever loaded
-- description: Every message that arrived and was loaded, as far as history is kept, by what became of it: loaded =
--   stored + duplicate + set_aside + dropped. `statewire account` adds what waits in the inbox. What was in files that
--   nobody can read is not known: those are counted as files.
-- order: loaded Int64
-- note loaded: messages in reports that were loaded; one that was mended and replayed counts once
-- note duplicate: copies of what was stored or set aside before
-- note set_aside: bad records that lie in the inbox's corrupt folder
-- note dropped: bad records that were dropped by a person or a limit, or only counted
-- note bad_files: files and reports that could not be read at all and were neither replayed nor dropped
WITH
    reported AS
    (
        SELECT toInt64(sum(messages)) AS messages, toInt64(sum(dropped)) AS counted FROM client_reports FINAL
    ),
    ended AS
    (
        SELECT toInt64(sum(replayed)) AS again, toInt64(sum(dropped)) AS gone FROM set_aside_ends FINAL
    ),
    ends AS
    (
        SELECT name, max(until) AS last_end FROM set_aside_ends GROUP BY name
    ),
    aside AS
    (
        SELECT toInt64(count()) AS records
        FROM
        (
            SELECT if(kept_as != '', kept_as, concat(source_file, '.', toString(record_index), '.SMX')) AS name,
                set_aside_time
            FROM set_aside_records FINAL
            WHERE (received_time, source_file, report_index) IN
                (SELECT received_time, source_file, report_index FROM client_reports FINAL WHERE set_aside > 0
                    AND dropped = 0)
        ) AS r
        LEFT JOIN ends ON ends.name = r.name
        WHERE r.set_aside_time > ends.last_end
    ),
    unread AS
    (
        SELECT count() AS files
        FROM bad_files AS b FINAL
        LEFT JOIN ends ON ends.name = b.name
        LEFT JOIN (SELECT source_file, max(loaded_time) AS last_load FROM client_reports
            WHERE source_file IN (SELECT name FROM bad_files) GROUP BY source_file) AS l ON l.source_file = b.name
        WHERE b.set_aside_time > ends.last_end AND b.set_aside_time > l.last_load
    )
SELECT
    (SELECT messages FROM reported) - (SELECT again FROM ended) AS loaded,
    (SELECT toInt64(count()) FROM state_messages FINAL
        WHERE source_file IN (SELECT source_file FROM client_reports)) AS stored,
    loaded - stored - set_aside - dropped AS duplicate,
    (SELECT records FROM aside) AS set_aside,
    (SELECT counted FROM reported) + (SELECT gone FROM ended) AS dropped,
    (SELECT files FROM unread) AS bad_files
