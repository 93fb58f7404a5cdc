-- Streaks of everybody over half a year read results that were put in a row week by week, instead of every trade.

create table private.trade_week_results (
  account_type text not null,
  week date not null,
  changes bigint not null,
  users uuid[] not null,
  results text[] not null,
  primary key (account_type, week)
);
comment on table private.trade_week_results is
  'By the Monday of a week of UTC: users, and their wins and losses in the order of the openings ("WWL"), ties left out.';
comment on column private.trade_week_results.changes is 'Of that week''s days, when they were put in a row.';
alter table private.trade_week_results enable row level security;
grant select on private.trade_week_results to service_role;

-- Of the weeks that are whole within these days: the first Monday, and the first day after the last Sunday. Without such a
-- week both are the day after the last.
create function private.whole_weeks(first_day date, last_day date, out monday date, out rest date)
language sql immutable set search_path = '' as $$
  select least(first_day + (8 - extract(isodow from first_day)::integer) % 7, last_day + 1),
    greatest(
      last_day + 1 - extract(isodow from last_day)::integer % 7,
      least(first_day + (8 - extract(isodow from first_day)::integer) % 7, last_day + 1)
    )
$$;

-- As work_out_days, of weeks.
create function private.work_out_weeks(accounts text[], first_day date, last_day date, at_most integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with wanted as materialized (
    select changed.account_type, changed.day - (extract(isodow from changed.day)::integer - 1) as week,
      sum(changed.changes) as changes
    from private.trade_day_changes changed, private.whole_weeks(first_day, last_day) whole
    where changed.account_type = any (accounts) and changed.day >= whole.monday and changed.day < whole.rest
    group by 1, 2
  ), stale as materialized (
    select wanted.*
    from wanted left join private.trade_week_results known using (account_type, week)
    where known.changes is distinct from wanted.changes
    order by wanted.week desc
    limit at_most
  ), worked_out as (
    insert into private.trade_week_results as known (account_type, week, changes, users, results)
    select stale.account_type, stale.week, stale.changes,
      coalesce(array_agg(told.user_id) filter (where told.user_id is not null), '{}'),
      coalesce(array_agg(told.results) filter (where told.user_id is not null), '{}')
    from stale
    left join lateral (
      select trade.user_id, string_agg(left(trade.resultado, 1), '' order by trade.data_abertura, trade.id) as results
      from public.trade_history trade
      where trade.account_type = stale.account_type and trade.resultado in ('WIN', 'LOSS')
        and trade.data_abertura >= stale.week::timestamp at time zone 'UTC'
        and trade.data_abertura < (stale.week + 7)::timestamp at time zone 'UTC'
      group by trade.user_id
    ) told on true
    group by 1, 2, 3
    order by 1, 2
    on conflict (account_type, week) do update set
      changes = excluded.changes, users = excluded.users, results = excluded.results
    where known.changes < excluded.changes
  )
  select count(*) from stale
$$;

create or replace function public.work_out_days(accounts text[], first_day date, last_day date, at_most integer)
returns bigint
language sql volatile security invoker set search_path = '' as $$
  select greatest(
    private.work_out_days(
      array(select distinct account from unnest(accounts) account order by 1), first_day, last_day, at_most
    ),
    private.work_out_weeks(accounts, first_day, last_day, at_most)
  )
$$;

-- As before, of everybody from whole weeks and, at both ends, from the trades of the days that are left.
create or replace function public.trade_streaks(accounts text[], of_user uuid, first_day date, last_day date)
returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  whole record;
  found jsonb;
begin
  if of_user is null then
    whole := private.whole_weeks(first_day, last_day);
    perform private.work_out_weeks(accounts, first_day, last_day, null);
  else
    select last_day + 1 as monday, last_day + 1 as rest into whole;
  end if;
  execute
    'with part as (
      select known.account_type, known.week as begins, each.user_id, each.results
      from private.trade_week_results known
      cross join lateral unnest(known.users, known.results) each (user_id, results)
      where known.account_type = any ($1) and known.week >= $5 and known.week < $6
      union all
      select account_type, case when data_abertura < $5::timestamp at time zone ''UTC'' then $3 else $6 end, user_id,
        string_agg(left(resultado, 1), '''' order by data_abertura, id)
      from ' || private.trades_of_period() || ' and resultado in (''WIN'', ''LOSS'')
        and (data_abertura < $5::timestamp at time zone ''UTC'' or data_abertura >= $6::timestamp at time zone ''UTC'')
      group by 1, 2, 3
    ), told as materialized (
      select string_agg(results, '''' order by begins) as results from part group by user_id, account_type
    ), traders as (
      select
        length(replace(results, ''L'', '''')) as wins,
        length(replace(results, ''W'', '''')) as losses,
        1 + (2 * length(results) - length(replace(results, ''WL'', '''')) - length(replace(results, ''LW'', ''''))) / 2
          as runs,
        (select max(length(run)) from string_to_table(results, ''L'') run) as longest_win,
        (select max(length(run)) from string_to_table(results, ''W'') run) as longest_loss
      from told
    )
    select coalesce(jsonb_agg(to_jsonb(traders)), ''[]'') from traders'
  into found using accounts, of_user, first_day, last_day, whole.monday, whole.rest;
  return found;
end
$$;

do $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_catalog.pg_proc
    where pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and proname in ('whole_weeks', 'work_out_weeks', 'work_out_days', 'trade_streaks')
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to service_role', made);
  end loop;
end
$$;
