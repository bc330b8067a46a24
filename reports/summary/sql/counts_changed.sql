-- Messages that were loaded, and clients that were erased since the counts were made, the newest of them, and how many
-- times counts were written so far.
SELECT
    messages.1 + touched.1,
    greatest(messages.2, touched.2),
    (SELECT max(version) FROM subject_counts)
FROM
(
    SELECT
        (SELECT argMax(until, number) FROM summary_progress WHERE job = 'counts') AS summed,
        (SELECT (count(), max(state_messages.loaded_time)) FROM state_messages
            WHERE state_messages.loaded_time >= summed) AS messages,
        (SELECT (count(), max(subjects_touched.loaded_time)) FROM subjects_touched
            WHERE subjects_touched.loaded_time >= summed) AS touched
)
