-- Run once, after roles.sql. A server can see that a COMMIT waits for others, but not that a leader
-- whom all others have left would rather write nothing (synchronous_mode_strict): this says so.
ALTER DATABASE moorage SET moorage.strict = 'on';
