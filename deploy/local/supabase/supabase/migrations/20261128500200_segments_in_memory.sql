-- Over a million contacts tags were looked up one by one, because a table of them in memory was too large. With room for
-- it a segment is built in half of the time.
alter function public.crm_rebuild_segment(uuid) set work_mem = '64MB';
alter function public.crm_preview_segment(jsonb) set work_mem = '64MB';
