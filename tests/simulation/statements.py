"""Statements carried out without what SQLAlchemy does anew each time: a third of a seed's time went into that.

SQLAlchemy compiles every statement, and its types convert every value in and out; only events, contexts, cursors and
result objects are left out. The seeds with real parts go through all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from sqlalchemy import Dialect, Executable
from sqlalchemy.engine import Row
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound
from sqlalchemy.sql.compiler import ExpandedState, SQLCompiler

READ_ONLY: Final = "postgresql_readonly"  # as database.read says it

_Convert = Callable[[Any], Any]
_Values = Mapping[str, Any]
_Sent = list[Any] | dict[str, Any]


@dataclass
class _Plan:
    """One statement, compiled."""

    first: Any  # the statement that it was compiled from; it is held, or another could get its id
    compiled: SQLCompiler
    sent: tuple[tuple[str, _Convert | None], ...]
    fixed: bool  # the text depends on no value
    standing: dict[str, Any]  # values that stand in the very statement that it was compiled from
    out: SimpleResultMetaData | None
    out_converters: tuple[_Convert | None, ...]
    converts: bool

    def __post_init__(self) -> None:
        self.positional, self.text = self.compiled.positional, self.compiled.string
        self._lists = tuple(name for bind, name in self.compiled.bind_names.items() if bind.expanding)
        self._by_lengths: dict[tuple[int, ...], ExpandedState] = {}

    def direct_values(self, given: _Values) -> tuple[str, _Sent]:
        """Return text and values."""
        if self.positional:
            return self.text, [given[name] if convert is None else convert(given[name]) for name, convert in self.sent]
        named = {name: given[name] if convert is None else convert(given[name]) for name, convert in self.sent}
        return self.text, named

    def values(self, bound: dict[str, Any]) -> tuple[str, _Sent]:
        """Return the same where some values stand in the statement, or the text depends on how many there are."""
        compiled = self.compiled
        if self.fixed:
            return self.direct_values(bound)
        state = self._expanded(bound)
        for name, expanded in state.parameter_expansion.items():
            bound.update(zip(expanded, bound[name], strict=True))
        converters: dict[str, Any] = {**compiled._bind_processors, **state.processors}
        names = bound if state.positiontup is None else state.positiontup
        sent = {name: converters[name](bound[name]) if name in converters else bound[name] for name in names}
        return state.statement, sent if state.positiontup is None else [sent[name] for name in names]

    def _expanded(self, bound: dict[str, Any]) -> ExpandedState:
        """Return the text for lists of these lengths; SQLAlchemy takes the lists out of what it is given: a copy."""
        if self.compiled.literal_execute_params:
            return self.compiled._process_parameters_for_postcompile(dict(bound))
        lengths = tuple(len(bound[name]) for name in self._lists)
        if lengths not in self._by_lengths:
            self._by_lengths[lengths] = self.compiled._process_parameters_for_postcompile(dict(bound))
        return self._by_lengths[lengths]


class Rows:
    """What a statement gave: all rows are there already."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        """Return every row."""
        return self._rows

    def first(self) -> Any:
        """Return the first row, or None."""
        return self._rows[0] if self._rows else None

    def one_or_none(self) -> Any:
        """Return the one row, or None. Errors: MultipleResultsFound."""
        if len(self._rows) > 1:
            raise MultipleResultsFound("more than one row")
        return self.first()

    def one(self) -> Any:
        """Return the one row. Errors: NoResultFound, MultipleResultsFound."""
        if not self._rows:
            raise NoResultFound("no row")
        return self.one_or_none()

    def scalar(self) -> Any:
        """Return the first row's first value, or None."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        """Return the one row's first value. Errors: NoResultFound, MultipleResultsFound."""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        """Return the one row's first value, or None. Errors: MultipleResultsFound."""
        row = self.one_or_none()
        return None if row is None else row[0]

    def scalars(self) -> Rows:
        """Return the first value of every row."""
        return Rows([row[0] for row in self._rows], self.rowcount)


class Driver(Protocol):
    """A driver's connection, of SQLite or PostgreSQL."""

    def execute(self, text: Any, values: Any = ..., /) -> Any:
        """Send a statement and return its cursor."""

    def commit(self) -> None:
        """End the transaction."""

    def rollback(self) -> None:
        """Give it up."""


class Statements:
    """The statements of one engine, each compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        assert dialect.dbapi is not None
        self._error: type[Exception] = dialect.dbapi.Error
        self._by_id: dict[tuple[int, tuple[str, ...]], _Plan] = {}
        self._by_key: dict[Any, _Plan] = {}

    def execute(self, connection: Driver, statement: Executable, values: _Values | list[_Values] | None) -> Rows:
        """Carry out one statement. Errors: those that SQLAlchemy makes of the driver's."""
        if isinstance(values, list):
            return [self.execute(connection, statement, one) for one in values][-1]
        given = values or {}
        names = tuple(given)
        plan = self._by_id.get((id(statement), names))
        if plan is not None and plan.fixed:
            all_given = {**plan.standing, **given} if plan.standing else given
            return self._send(connection, plan, *plan.direct_values(all_given))
        key = statement._generate_cache_key()  # type: ignore[attr-defined]
        assert key is not None, "a statement that SQLAlchemy cannot tell from others"
        plan = self._by_key.get((key.key, names))
        if plan is None:
            plan = self._by_key[key.key, names] = self._compiled(statement, key, names)
            self._by_id[id(statement), names] = plan
        _, extracted, collected = key
        bound = plan.compiled.construct_params(
            given, extracted_parameters=extracted, escape_names=False, _collected_params=collected
        )
        return self._send(connection, plan, *plan.values(bound))

    def _send(self, connection: Driver, plan: _Plan, text: str, sent: _Sent) -> Rows:
        try:
            cursor = connection.execute(text, sent)
            rows = cursor.fetchall() if cursor.description is not None else []
        except self._error as error:
            raise DBAPIError.instance(text, sent, error, self._error, dialect=self._dialect) from error
        out = plan.out
        if out is None:
            if cursor.description is None:
                return Rows([], cursor.rowcount)
            # A text whose columns SQLAlchemy does not know either: they come as the driver gives them.
            out = plan.out = SimpleResultMetaData([column[0] for column in cursor.description])
        index = out._key_to_index
        if plan.converts:
            converters = plan.out_converters
            rows = [
                tuple(
                    value if convert is None else convert(value) for value, convert in zip(row, converters, strict=True)
                )
                for row in rows
            ]
        return Rows([Row(out, None, index, row) for row in rows] if rows else rows, cursor.rowcount)

    def _compiled(self, statement: Any, key: Any, names: tuple[str, ...]) -> _Plan:
        dialect = self._dialect
        compiled = statement.compile(dialect=dialect, cache_key=key, column_keys=list(names))
        assert not compiled.insert_prefetch
        assert not compiled.update_prefetch
        columns = compiled._result_columns or ()
        out_converters = tuple(one.type._cached_result_processor(dialect, None) for one in columns)
        order = tuple(compiled.positiontup or compiled.bind_names.values())
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        fixed = not compiled.post_compile_params and not compiled.literal_execute_params
        assert not any(bind.callable or (bind.required and name not in names) for name, bind in binds.items())
        return _Plan(
            first=statement,
            compiled=compiled,
            sent=tuple((name, compiled._bind_processors.get(name)) for name in order),
            fixed=fixed,
            standing={name: binds[name].value for name in order if name not in names} if fixed else {},
            out=SimpleResultMetaData([one.keyname for one in columns]) if columns else None,
            out_converters=out_converters,
            converts=any(out_converters),
        )


class _Transaction:
    """One that has begun."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Driver) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        """It has begun."""

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._connection.commit()
        else:
            self._connection.rollback()


class FastConnection:
    """A connection as the servers use it."""

    def __init__(self, statements: Statements, connection: Driver, begin: Callable[[bool], None]) -> None:
        """begin: begins a transaction of the driver's, told whether it reads only."""
        self._statements, self._connection, self._begin = statements, connection, begin
        self._reads_only = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execution_options(self, **options: bool) -> None:
        """Take note of whether it reads only."""
        self._reads_only = options.pop(READ_ONLY)
        assert not options

    def begin(self) -> _Transaction:
        """One transaction, as `database.open_engine` begins it."""
        self._begin(self._reads_only)
        return _Transaction(self._connection)

    def execute(self, statement: Executable, values: _Values | list[_Values] | None = None) -> Rows:
        """Carry out one statement."""
        return self._statements.execute(self._connection, statement, values)

    def close(self) -> None:
        """Its connection stays open."""
