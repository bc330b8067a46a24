-- When the last gap check ran, and the timeline that it kept.
SELECT number, checked_time, epoch_time, before_time
FROM resync_clock FINAL
