-- The list of users in one pass over those who match, for the page and the number of all; only the page's rows are read
-- with all that is shown of them.

drop function public.find_users(text, text, boolean, text, boolean, integer, integer, text, uuid);
drop function private.find_users(text, text, boolean, text, boolean, integer, integer, text, uuid);
alter type private.found_user add attribute total bigint;

-- The total is in every row, so it is not told by a page without any.
create function private.find_users(
  accounts text, search text, active boolean, sort_by text, ascending boolean, at_most integer, skipped integer,
  after_value text, after_id uuid
) returns setof private.found_user
language plpgsql stable security definer set search_path = '' as $$
declare
  value text := case sort_by
    when 'email' then 'person.email collate "C"' when 'total_pnl' then 'person.pnl_real'
    when 'total_trades' then 'person.trades_real'
    when 'win_rate' then 'private.win_rate(person.wins_real, person.losses_real, person.ties_real)'
    else 'person.created_at' end;
  kind text := case sort_by
    when 'email' then 'text' when 'total_pnl' then 'numeric' when 'total_trades' then 'bigint'
    when 'win_rate' then 'numeric' else 'timestamptz' end;
  direction_word text := case when ascending then 'asc' else 'desc' end;
  behind text := case when ascending then '>' else '<' end;
begin
  return query execute format(
    'with matching as materialized (
      select person.id, %1$s as sort_value from private.people person where %2$s
    ), page as materialized (
      select id, sort_value from matching
      where $6 is null or (sort_value, id) %3$s ($6::%4$s, $7)
      order by sort_value %5$s, id %5$s
      limit $4 offset $5
    )
    select person.id, person.email, person.phone, person.created_at, person.last_sign_in_at,
      case when person.has_real and person.has_demo then ''both'' when person.has_real then ''real'' else ''demo'' end,
      person.trades_real::bigint, person.pnl_real,
      private.win_rate(person.wins_real, person.losses_real, person.ties_real), person.is_active, person.is_suspended,
      person.bot_running, page.sort_value::text, (select count(*) from matching)
    from page cross join lateral (select * from private.people one where one.id = page.id) person
    order by page.sort_value %5$s, page.id %5$s',
    value, private.user_condition(), behind, kind, direction_word
  ) using accounts, search, active, at_most, skipped, after_value, after_id;
end
$$;

create function public.find_users(
  accounts text, search text, active boolean, sort_by text, ascending boolean, at_most integer, skipped integer,
  after_value text, after_id uuid
) returns setof private.found_user
language sql stable security invoker set search_path = '' as $$
  select * from private.find_users(
    accounts, search, active, sort_by, ascending, at_most, skipped, after_value, after_id
  )
$$;

revoke execute on function
  private.find_users(text, text, boolean, text, boolean, integer, integer, text, uuid),
  public.find_users(text, text, boolean, text, boolean, integer, integer, text, uuid)
  from public, anon, authenticated;
grant execute on function
  private.find_users(text, text, boolean, text, boolean, integer, integer, text, uuid),
  public.find_users(text, text, boolean, text, boolean, integer, integer, text, uuid)
  to service_role;
