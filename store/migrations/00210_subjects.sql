-- +goose NO TRANSACTION
-- +goose Up
-- What compliance is asked about, one row each, with what people call it. topic_type is the leading type. A title comes
-- from a file, a pack, an agent, or from the id itself (derived), in this order; each other field from the first of them
-- that has it. A subject that a person gave a kind and a target is here before anybody told of it: first_seen is then 1970.
CREATE VIEW IF NOT EXISTS subjects AS
WITH
    told AS
    (
        SELECT kind, topic_id, if(kind = 'other', topic_type, 0) AS other_type, groupArray(topic_type) AS types,
            min(first_seen) AS first_seen, max(origin) AS origin
        FROM subject_types
        GROUP BY kind, topic_id, other_type
        UNION ALL
        SELECT CAST(kind, 'String') AS kind, topic_id, toUInt32(0) AS other_type, CAST([], 'Array(UInt32)') AS types,
            toDateTime64(0, 6, 'UTC') AS first_seen, '' AS origin
        FROM topic_titles FINAL
        WHERE deleted = 0 AND source = 'file' AND target != '' AND kind IN ('update', 'deployment', 'baseline')
          AND (kind, topic_id) NOT IN (SELECT kind, topic_id FROM subject_types)
    ),
    -- In the order that decides: the source, then a row for one type before the row for all.
    given AS
    (
        SELECT topic_id, arraySort(r -> (r.1, r.2 = 0), groupArray((indexOf(['file', 'pack', 'agent'], source), topic_type, title, article,
            CAST(severity, 'String'), released, url, grp, target, superseded_by, CAST(source, 'String')))) AS rows
        FROM topic_titles FINAL
        WHERE deleted = 0
        GROUP BY topic_id
    )
SELECT
    told.kind AS kind,
    multiIf(kind = 'update', multiIf(has(told.types, 500) OR NOT has(told.types, 400), 500, 400),
            kind = 'deployment', 300,
            kind = 'baseline', 401,
            kind = 'scan', 501,
            told.other_type) AS topic_type,
    told.topic_id AS topic_id,
    arrayFilter(r -> r.2 = 0 OR r.2 = topic_type OR has(told.types, r.2), given.rows) AS _rows,
    arrayFirst(r -> r.3 != '', _rows) AS _titled,
    multiIf(_titled.3 != '', _titled.3,
            kind = 'update' AND match(topic_id, '^[A-Za-z0-9][A-Za-z0-9+.:_-]*=[^=]+$'), replaceOne(topic_id, '=', ' '),
            topic_id) AS title,
    arrayFirst(r -> r.4 != '', _rows).4 AS article,
    multiIf(arrayFirst(r -> r.5 != '', _rows).5 != '', arrayFirst(r -> r.5 != '', _rows).5,
            match(told.origin, '-security(/|$)'), 'security',
            '') AS severity,
    arrayFirst(r -> isNotNull(r.6), _rows).6 AS released,
    arrayFirst(r -> r.7 != '', _rows).7 AS url,
    arrayFirst(r -> r.8 != '', _rows).8 AS grp,
    arrayFirst(r -> r.9 != '', _rows).9 AS target,
    arrayFirst(r -> r.10 != '', _rows).10 AS superseded_by,
    told.origin AS origin,
    told.first_seen AS first_seen,
    if(_titled.3 != '', _titled.11, 'derived') AS title_source
FROM told
LEFT JOIN given ON given.topic_id = told.topic_id;
