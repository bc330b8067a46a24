-- title: Names of what compliance is asked about
-- group: Lookup
-- columns: title!, machines!, topic_id, kind, article, severity, group, target, released, topic_type
-- empty: no topic id is like that
-- description: Updates, deployments, baselines, scans and other topic ids that clients told of, with their titles: those
--   without a title first, by how many machines they concern. `statewire names export --missing` writes them as a file to
--   fill in and load.
-- param search String = '': Part of a title, an article or an id
-- param kind String = '' in '', update, deployment, baseline, scan, other: Only this kind
-- param group String = '': Only subjects of this group
-- param missing UInt8 = 0 in 0..1: 1 takes only those without a title
-- order: _untitled UInt8 desc, machines UInt64 desc, kind String, topic_id String, topic_type UInt32
-- note machines: that told of it
-- note title_source: file = a person; pack; agent = the first client that gave a title; derived = the id itself
-- note first_seen: when a client first told of it; empty = none has yet
-- note topic_type: the leading type
WITH
    concerned AS
    (
        SELECT topic_type, topic_id, sum(subject_states.clients) AS machines
        FROM subject_states
        GROUP BY topic_type, topic_id
    ),
    counted AS
    (
        SELECT t.kind AS kind, t.topic_id AS topic_id, if(t.kind = 'other', t.topic_type, 0) AS other_type,
            max(c.machines) AS machines
        FROM subject_types AS t
        INNER JOIN concerned AS c ON c.topic_type = t.topic_type AND c.topic_id = t.topic_id
        GROUP BY kind, topic_id, other_type
    )
SELECT
    s.title AS title,
    s.kind AS kind,
    toUInt64(c.machines) AS machines,
    s.article AS article,
    s.severity AS severity,
    s.released AS released,
    s.grp AS group,
    s.target AS target,
    s.title_source AS title_source,
    s.superseded_by AS superseded_by,
    if(toYear(s.first_seen) = 1970, NULL, toNullable(CAST(s.first_seen, 'DateTime64(6, \'UTC\')'))) AS first_seen,
    s.url AS url,
    s.topic_type AS topic_type,
    s.topic_id AS topic_id,
    toUInt8(s.title_source = 'derived' AND s.title = s.topic_id AND s.kind != 'scan') AS _untitled
FROM subjects AS s
LEFT JOIN counted AS c ON c.kind = s.kind AND c.topic_id = s.topic_id
    AND c.other_type = if(s.kind = 'other', s.topic_type, 0)
WHERE ({kind:String} = '' OR s.kind = {kind:String})
  AND ({group:String} = '' OR s.grp = {group:String})
  AND ({missing:UInt8} = 0 OR _untitled = 1)
  AND ({search:String} = '' OR positionCaseInsensitiveUTF8(s.title, {search:String}) > 0
       OR positionCaseInsensitiveUTF8(s.article, {search:String}) > 0
       OR positionCaseInsensitiveUTF8(s.topic_id, {search:String}) > 0)
