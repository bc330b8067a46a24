-- What changes who is not known, without a word of the machine: updates that are new, and what is missing.
SELECT cityHash64(
    (
        SELECT (count(), sum(toUnixTimestamp64Micro(seen)))
        FROM
        (
            SELECT min(subject_seen.first_seen) AS seen
            FROM subject_seen WHERE topic_type IN (400, 401, 402, 500) GROUP BY topic_type, topic_id
        )
    ),
    (SELECT groupBitXor(cityHash64(client_id)) FROM (SELECT DISTINCT ClientID AS client_id FROM SR_MissingMessageRanges
        WHERE SerialJump = 0)))
