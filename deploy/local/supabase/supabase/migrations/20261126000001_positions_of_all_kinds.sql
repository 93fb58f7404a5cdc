-- The broker's position ids are unique among positions of one kind only.

alter table public.trade_history
  drop constraint trade_history_external_id_key,
  add constraint trade_history_position_key unique (external_id, type);
