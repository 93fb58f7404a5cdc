-- Whether something is on its way to a contact is asked of each that is claimed: without an index of its own, and before
-- the table was ever analysed, all that waits was looked through each time.
create index crm_mail_out_under_way on public.crm_mail_out (contact_id) where state = 'sending';
