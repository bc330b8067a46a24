-- title: Groups
-- group: Compliance
-- columns: group!, percent!, machines, compliant, required, not_known, subjects
-- empty: no subject was put into a group
-- description: How many machines have all that they need of each group of updates, deployments and baselines. A machine is
--   compliant with a group when nothing of it is missing there, and nothing is not known. Counted over the site or the
--   members of a collection.
-- param collection String = '': Only the members of this collection
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- param group String = '': Only this group
-- order: required UInt64 desc, group String
-- note machines: those that need something of the group, and those of which that is not known
-- note percent: compliant of compliant and required; rounded down, so that 100.0 means all
-- note required: machines on which something of the group is not compliant
-- note not_known: machines that lack nothing of it that is known, but of some of it nothing is
-- note not_applicable: machines that need nothing of it
-- link group: updates?group={group}&collection={collection}&as_of={as_of}&tz={tz}
-- with: stated, told, machine_stands
WITH
    ['update', 'deployment', 'baseline', 'scan'] AS asked_kinds,
    [toUInt32(300), 301, 302, 400, 401, 402, 500, 501] AS asked_types,
    grouped_subjects AS
    (
        SELECT grp, count() AS subjects
        FROM subjects
        WHERE grp != '' AND kind IN ('update', 'deployment', 'baseline') AND ({group:String} = '' OR grp = {group:String})
        GROUP BY grp
    ),
    standing AS
    (
        SELECT name, class, count() AS machines
        FROM machine_stands
        ARRAY JOIN group_names AS name, group_classes AS class
        -- if collection:
        WHERE client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})
        -- end:
        GROUP BY name, class
    )
SELECT
    a.grp AS `group`,
    any(a.subjects) AS subjects,
    sumIf(s.machines, s.class != 'not_applicable') AS machines,
    sumIf(s.machines, s.class = 'compliant') AS compliant,
    if(compliant + required = 0, NULL, intDiv(1000 * compliant, greatest(compliant + required, 1)) / 10) AS percent,
    sumIf(s.machines, s.class IN ('failed', 'restart', 'required')) AS required,
    sumIf(s.machines, s.class = 'not_known') AS not_known,
    sumIf(s.machines, s.class = 'not_applicable') AS not_applicable
FROM grouped_subjects AS a
LEFT JOIN standing AS s ON s.name = a.grp
GROUP BY a.grp
