"""The database's catalog, read from its files while no server runs on them, and the rules every object must keep."""

import json
import subprocess
from pathlib import Path

from deploy.local.node import node_path
from deploy.local.supabase import PACKAGE

_SCRIPT = """
import { readFileSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
const [directory, preparation, ...rest] = JSON.parse(readFileSync(0, 'utf8'))
const database = await PGlite.create(directory)
await database.exec(preparation)
const answers = []
for (let index = 0; index < rest.length; index += 2) {
  const [change, question] = rest.slice(index)
  await database.exec('begin;' + change)
  answers.push((await database.query(question)).rows)
  await database.exec('rollback')
}
console.log(JSON.stringify(answers))
await database.close()
"""

Rows = list[dict[str, str]]

FINDINGS = """
with
tables as (
  select c.oid, c.relname as name, c.relkind, c.relrowsecurity, c.reloptions
  from pg_class c where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
),
functions as (
  select p.oid, p.oid::regprocedure::text as name, p.prosecdef, p.proconfig,
    p.pronamespace = 'public'::regnamespace as exposed
  from pg_proc p
  where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
    and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')
),
policies as (
  select tablename || '.' || policyname as name, *, coalesce(qual, '') || ' ' || coalesce(with_check, '') as condition
  from pg_policies where schemaname in ('public', 'private')
),
findings (name, fault) as (
  select name, 'no row-level security' from tables where relkind in ('r', 'p') and not relrowsecurity
  union all
  select name, 'not a security_invoker view' from tables
  where relkind in ('v', 'm') and not coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on}'
  union all
  select name, 'anonymous users have a privilege' from tables
  where relkind in ('r', 'p', 'v', 'm') and has_table_privilege('anon', oid, 'select,insert,update,delete,truncate')
  union all
  select name, 'auth function evaluated for every row' from policies
  where regexp_replace(condition, 'SELECT auth\\.[a-z]+\\(\\)', '', 'g') ~ 'auth\\.[a-z]+\\(\\)'
  union all
  select name, 'not for one verb' from policies where cmd = 'ALL'
  union all
  select name, 'not for authenticated users alone' from policies where roles <> '{authenticated}'
  union all
  select tablename, 'more than one policy for ' || cmd from policies group by tablename, cmd having count(*) > 1
  union all
  select name, 'security definer without an empty search_path' from functions
  where prosecdef and not coalesce(proconfig, '{}') @> array['search_path=""']
  union all
  select name, 'security definer in the exposed schema' from functions where prosecdef and exposed
  union all
  select name, 'anonymous users may execute it' from functions
  where exposed and has_function_privilege('anon', oid, 'execute')
)
select name, fault from findings order by name, fault
"""


class Catalog:
    def __init__(self, directory: Path | None, preparation: str = "") -> None:
        """`directory` of a server that does not run; None for an empty database in memory, which is then prepared."""
        self._database = str(directory / "supabase" / ".temp" / "data") if directory else "memory://"
        self._preparation = preparation

    def findings(self, *changes: str) -> list[list[tuple[str, str]]]:
        """For each change, applied and taken back: what then breaks a rule, as pairs of object and fault."""
        answers = self.ask(*((change, FINDINGS) for change in changes))
        return [[(row["name"], row["fault"]) for row in rows] for rows in answers]

    def ask(self, *questions: tuple[str, str]) -> list[Rows]:
        """For each pair of a change and a question, the rows that answer it once the change is applied."""
        arguments = [text for question in questions for text in question]
        result = subprocess.run(
            [node_path(), "--input-type=module", "-e", _SCRIPT],
            check=False,
            input=json.dumps([self._database, self._preparation, *arguments]),
            cwd=PACKAGE,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 0, result.stderr
        answers: list[Rows] = json.loads(result.stdout)
        return answers
