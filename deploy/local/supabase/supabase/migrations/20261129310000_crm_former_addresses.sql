-- What a contact was reached under before it became one with another: kept as hashes, so that whoever erases the person
-- later suppresses those addresses, too.
create table public.crm_former_addresses (
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  channel text not null,
  address_hash text not null check (address_hash ~ '^[0-9a-f]{64}$'),
  at timestamptz not null default now(),
  primary key (contact_id, channel, address_hash)
);
comment on table public.crm_former_addresses is 'Addresses of contacts that were merged into this one, as in crm_suppressions.';
alter table public.crm_former_addresses enable row level security;
revoke all on public.crm_former_addresses from anon, authenticated;
grant all on public.crm_former_addresses to service_role;

-- Merged while the other contact still stands there: its own addresses, and those that had come to it before.
insert into private.crm_personal_data (table_name, erase, merge) values (
  'crm_former_addresses',
  'with gone as (delete from public.crm_former_addresses where contact_id = $1 returning channel, address_hash)
   insert into public.crm_suppressions (channel, address_hash, reason)
   select channel, address_hash, ''erased'' from gone
   on conflict (channel, address_hash) do update set reason = ''erased''',
  'insert into public.crm_former_addresses (contact_id, channel, address_hash)
   select $1, former.channel, former.address_hash
   from public.crm_former_addresses former where former.contact_id = $2
   union
   select $1, said.channel, private.crm_address_hash(said.address)
   from public.crm_contacts gone
   cross join lateral (values (''email'', gone.email), (''sms'', gone.phone)) said (channel, address)
   where gone.id = $2 and said.address is not null
   on conflict do nothing'
) on conflict do nothing;

-- Who is erased, merged or exported is looked up as having been in segments, too.
drop index public.crm_segment_members_contact;
create index crm_segment_members_contact on public.crm_segment_members (contact_id);
