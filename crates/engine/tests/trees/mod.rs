//! Queries by chance, over tables that all have the same columns: `id`, `a` and `b` are numbers, `s` is a text.
//!
//! They keep to what SQL defines: rows in an order of their own wherever a limit or a window looks at it, no division of integers, no
//! texts but small letters, no number that could overflow.

use dbkeep_sql::*;
use fastrand::Rng;

pub(crate) const TABLES: [&str; 2] = ["p", "q"];

/// Makes trees; the same from the same seed.
pub(crate) struct Trees {
    random: Rng,
    names: usize,
}

/// What a query can see: the tables of those around it, and its own.
type Scope<'s> = &'s [String];

impl Trees {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), names: 0 }
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.random.usize(..n) == 0
    }

    fn name(&mut self, stem: &str) -> String {
        self.names += 1;
        format!("{stem}{}", self.names)
    }

    fn choice<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.random.usize(..list.len())].clone()
    }

    fn column(&mut self, scope: Scope<'_>, columns: &[&str]) -> Expr {
        col((self.choice(scope), self.choice(columns)))
    }

    fn small(&mut self) -> i64 {
        self.random.i64(-3..6)
    }

    /// A value with its type, so that every engine knows it wherever it stands.
    fn literal(&mut self) -> Expr {
        let number = self.small();
        val(number).cast(CastType::Integer)
    }

    fn letters(&mut self) -> String {
        (0..self.random.usize(..3)).map(|_| self.random.char('a'..'d')).collect()
    }

    pub(crate) fn number(&mut self, scope: Scope<'_>, depth: u32) -> Expr {
        if depth == 0 || self.one_in(3) {
            return if self.one_in(5) { self.literal() } else { self.column(scope, &["id", "a", "b", "a", "b"]) };
        }
        let depth = depth - 1;
        match self.random.u32(..12) {
            0 => self.number(scope, depth) + self.number(scope, depth),
            1 => self.number(scope, depth) - self.number(scope, depth),
            2 => self.column(scope, &["a", "b"]) * self.small(),
            3 => self.number(scope, depth) % self.random.i64(2..7),
            4 => abs(self.number(scope, depth)),
            5 => coalesce([self.column(scope, &["a"]), self.number(scope, depth)]),
            6 => nullif(self.column(scope, &["b"]), self.small()),
            7 => char_length(self.text(scope, depth)),
            8 => self.number(scope, depth).cast(CastType::Integer),
            9 => self.number(scope, depth) + self.small(),
            10 => {
                let choice = case().when(self.condition(scope, depth), self.number(scope, depth));
                if self.one_in(2) { choice.end() } else { choice.otherwise(self.number(scope, depth)) }
            }
            _ => self.counted(scope, depth).into(),
        }
    }

    /// A query of one row and one number.
    fn counted(&mut self, scope: Scope<'_>, depth: u32) -> Select {
        let (alias, inside) = self.inside(scope);
        let own = [alias.clone()];
        let what = match self.random.u32(..4) {
            0 => count_all(),
            1 => sum(self.column(&own, &["a", "b"])),
            2 => max(self.column(&own, &["id", "a"])),
            _ => count_distinct(self.column(&own, &["s"])),
        };
        let rows = select().column(what).from(table(self.choice(&TABLES)).alias(alias));
        rows.filter(self.condition(&inside, depth.min(1)))
    }

    /// A name for a table within, and all that can be seen there.
    fn inside(&mut self, scope: Scope<'_>) -> (String, Vec<String>) {
        let alias = self.name("i");
        let mut inside = scope.to_vec();
        // Mostly its own.
        inside.extend([alias.clone(), alias.clone()]);
        (alias, inside)
    }

    pub(crate) fn text(&mut self, scope: Scope<'_>, depth: u32) -> Expr {
        if depth == 0 || self.one_in(3) {
            return if self.one_in(5) { val(self.letters()).cast(CastType::Text) } else { self.column(scope, &["s"]) };
        }
        let depth = depth - 1;
        match self.random.u32(..7) {
            0 => self.text(scope, depth).concat(self.text(scope, depth)),
            1 => lower(self.text(scope, depth)),
            2 => substring(self.text(scope, depth), self.random.u32(1..3), self.random.u32(..3)),
            3 => replace(self.text(scope, depth), self.random.char('a'..'d').to_string(), self.letters()),
            4 => coalesce([self.column(scope, &["s"]), self.text(scope, depth)]),
            5 => case().when(self.condition(scope, depth), self.text(scope, depth)).end(),
            _ => self.number(scope, 0).cast(CastType::Text).concat("x"),
        }
    }

    fn comparison(&mut self) -> Comparison {
        use Comparison::*;
        self.choice(&[Eq, Ne, Lt, Le, Gt, Ge])
    }

    pub(crate) fn condition(&mut self, scope: Scope<'_>, depth: u32) -> Expr {
        if depth == 0 {
            let (left, right) = (self.column(scope, &["id", "a", "b"]), self.small());
            return left.compare(self.comparison(), right);
        }
        let depth = depth - 1;
        match self.random.u32(..20) {
            0 | 1 => all((0..self.random.usize(..4)).map(|_| self.condition(scope, depth)).collect::<Vec<_>>()),
            2 | 3 => any((0..self.random.usize(..4)).map(|_| self.condition(scope, depth)).collect::<Vec<_>>()),
            4 => not(self.condition(scope, depth)),
            5 => self.number(scope, depth).compare(self.comparison(), self.number(scope, depth)),
            6 => self.text(scope, depth).compare(self.comparison(), self.text(scope, depth)),
            7 if self.one_in(2) => self.number(scope, depth).is_null(),
            7 => self.text(scope, depth).is_not_null(),
            8 => {
                let list: Vec<Expr> = (0..self.random.usize(..4)).map(|_| self.small().into()).collect();
                let what = self.number(scope, depth);
                if self.one_in(2) { what.in_list(list) } else { what.not_in(list) }
            }
            9 => {
                let (what, low, high) = (self.number(scope, depth), self.small(), self.number(scope, depth));
                if self.one_in(2) { what.between(low, high) } else { what.not_between(low, high) }
            }
            10 => self.number(scope, depth).is_distinct_from(self.number(scope, depth)),
            11 => self.text(scope, depth).is_not_distinct_from(self.text(scope, depth)),
            12 => self.condition(scope, depth).is_distinct_from(self.condition(scope, depth)),
            13 => {
                let (what, letters) = (self.text(scope, depth), self.letters());
                match self.random.u32(..6) {
                    0 => what.contains(letters),
                    1 => what.starts_with(letters),
                    2 => what.ends_with(letters),
                    3 => what.like(format!("_{letters}%")),
                    4 => what.not_like(format!("%{letters}_")),
                    _ => what.ilike(format!("{}%", letters.to_uppercase())),
                }
            }
            14 => {
                let (alias, inside) = self.inside(scope);
                exists(select().from(table(self.choice(&TABLES)).alias(alias)).filter(self.condition(&inside, depth)))
            }
            15 | 16 => {
                let (alias, inside) = self.inside(scope);
                let own = [alias.clone()];
                let mut rows = select()
                    .column(self.column(&own, &["id", "a"]))
                    .from(table(self.choice(&TABLES)).alias(alias.clone()));
                if self.one_in(3) {
                    // A query with a limit sees nothing around it on some engines.
                    rows = rows.filter(self.condition(&own, depth)).order_by((alias, "id")).limit(3);
                } else {
                    rows = rows.filter(self.condition(&inside, depth));
                }
                let what = self.number(scope, depth);
                if self.one_in(2) { what.in_query(rows) } else { what.not_in_query(rows) }
            }
            _ => {
                // Not of the rows of an outer join: MySQL and MariaDB lose some of them by this.
                let alias = self.name("i");
                let own = [alias.clone()];
                let key = col((alias.clone(), "id")).eq(self.column(scope, &["id", "a"]));
                let rows = select().from(table(self.choice(&TABLES)).alias(alias)).filter(key);
                exists(rows.filter(self.condition_of_rows(&own, depth)))
            }
        }
    }

    fn condition_of_rows(&mut self, scope: Scope<'_>, depth: u32) -> Expr {
        match self.random.u32(..4) {
            0 | 1 => row([self.number(scope, depth), self.number(scope, 0)])
                .compare(self.comparison(), row([self.number(scope, 0), self.number(scope, depth)])),
            2 => {
                let list: Vec<Expr> = (0..self.random.usize(1..3)).map(|_| row([self.small(), self.small()])).collect();
                let what = row([self.column(scope, &["a", "id"]), self.column(scope, &["b"])]);
                if self.one_in(2) { what.in_list(list) } else { what.not_in(list) }
            }
            _ => {
                let (alias, inside) = self.inside(scope);
                let rows = select()
                    .columns([(alias.clone(), "a"), (alias.clone(), "b")])
                    .from(table(self.choice(&TABLES)).alias(alias));
                let rows = rows.filter(self.condition(&inside, depth));
                row([self.column(scope, &["a"]), self.column(scope, &["b"])]).in_query(rows)
            }
        }
    }

    fn order(&mut self, expr: Expr) -> Order {
        let order = if self.one_in(2) { expr.asc() } else { expr.desc() };
        // Where NULL comes by itself, each engine has its own mind.
        if self.one_in(2) { order.nulls_first() } else { order.nulls_last() }
    }

    /// Something with the four columns, and no two rows of one `id`.
    fn source(&mut self) -> (TableRef, String) {
        let alias = self.name("t");
        if !self.one_in(5) {
            return (table(self.choice(&TABLES)).alias(alias.clone()), alias);
        }
        let inner = self.name("d");
        let scope = [inner.clone()];
        let mut rows = select()
            .column(col((inner.clone(), "id")).alias("id"))
            // Of the row, each: a value that is the same in all rows stays one where MySQL should find no row in an outer join.
            .column((col((inner.clone(), "id")) + self.number(&scope, 1)).alias("a"))
            .column((self.number(&scope, 1) - col((inner.clone(), "id"))).alias("b"))
            .column(col((inner.clone(), "s")).concat(self.text(&scope, 1)).alias("s"))
            .from(table(self.choice(&TABLES)).alias(inner.clone()))
            .filter(self.condition(&scope, 1));
        if self.one_in(2) {
            rows = rows.order_by((inner, "id")).limit(self.random.u64(1..6));
        }
        (rows.alias(alias.clone()).into(), alias)
    }

    /// Tables joined, with conditions, and no columns yet.
    fn joined(&mut self) -> (Select, Vec<String>) {
        let (first, alias) = self.source();
        let mut scope = vec![alias];
        let mut query = select().from(first);
        for _ in 0..self.random.usize(..3) {
            let (next, alias) = self.source();
            scope.push(alias.clone());
            if self.one_in(6) {
                query = query.cross_join(next);
                continue;
            }
            let on = match self.one_in(2) {
                true => col((alias, "id")).eq(self.column(&scope[..scope.len() - 1], &["id", "a"])),
                false => self.condition(&scope, 1),
            };
            query = match self.random.u32(..6) {
                0 | 1 => query.left_join(next, on),
                2 => query.right_join(next, on),
                _ => query.join(next, on),
            };
        }
        for _ in 0..self.random.usize(..3) {
            query = match self.one_in(4) {
                true => query.or_filter(self.condition(&scope, 2)),
                false => query.filter(self.condition(&scope, 2)),
            };
        }
        (query, scope)
    }

    fn window(&mut self, scope: Scope<'_>) -> Window {
        let mut window = window();
        if self.one_in(2) {
            window = window.partition_by(self.column(scope, &["a", "b", "s"]));
        }
        if self.one_in(2) {
            let key = self.number(scope, 1);
            window = window.order_by(self.order(key));
        }
        for alias in scope {
            window = window.order_by(self.order(col((alias.clone(), "id"))));
        }
        match self.random.u32(..4) {
            0 => window.rows(Bound::UnboundedPreceding, Bound::CurrentRow),
            1 => window.rows(Bound::Preceding(self.random.u32(1..3)), Bound::Following(self.random.u32(..3))),
            2 => window.rows(Bound::CurrentRow, Bound::UnboundedFollowing),
            _ => window,
        }
    }

    fn over_window(&mut self, scope: Scope<'_>) -> Expr {
        let number = self.number(scope, 1);
        let function = match self.random.u32(..10) {
            0 => row_number(),
            1 => rank(),
            2 => dense_rank(),
            3 => ntile(self.random.u32(1..4)),
            4 => lag(number, self.random.u32(1..3), None::<i64>),
            5 => lead(number, 1, None::<i64>),
            6 => first_value(number),
            7 => last_value(number),
            8 => nth_value(number, 2),
            _ => self.aggregate(scope, false),
        };
        function.over(self.window(scope))
    }

    fn aggregate(&mut self, scope: Scope<'_>, may_be_distinct: bool) -> Expr {
        let number = self.column(scope, &["id", "a", "b"]);
        let aggregate = match self.random.u32(..6) {
            0 => count_all(),
            1 => count(number),
            2 => min(number),
            3 => max(number + self.small()),
            4 if may_be_distinct => sum(number).distinct(),
            _ => sum(number),
        };
        // A query within an aggregate is refused by some.
        let plain = self.column(scope, &["a", "b"]).compare(self.comparison(), self.small());
        if self.one_in(3) { aggregate.filter_where(plain.or(self.column(scope, &["s"]).is_null())) } else { aggregate }
    }

    fn page(&mut self, query: Select) -> Select {
        match self.random.u32(..4) {
            0 => query.limit(self.random.u64(..6)),
            1 => query.limit(self.random.u64(1..6)).offset(self.random.u64(..4)),
            2 => query.offset(self.random.u64(..4)),
            _ => query,
        }
    }

    /// A query of rows; whether they come in an order.
    fn rows(&mut self) -> Select {
        let (mut query, scope) = self.joined();
        for at in 0..self.random.usize(1..4) {
            let item = match self.random.u32(..6) {
                0 | 1 => self.text(&scope, 2),
                2 => self.over_window(&scope),
                _ => self.number(&scope, 2),
            };
            query = query.column(item.alias(format!("c{at}")));
        }
        if self.one_in(3) {
            let key = self.number(&scope, 1);
            query = query.order_by(self.order(key));
        }
        for alias in &scope {
            query = query.order_by(self.order(col((alias.clone(), "id"))));
        }
        self.page(query)
    }

    fn groups(&mut self) -> Select {
        let (mut query, scope) = self.joined();
        let keys: Vec<Expr> = (0..self.random.usize(..3)).map(|_| self.column(&scope, &["a", "b", "s"])).collect();
        for (at, key) in keys.iter().enumerate() {
            query = query.group_by(key.clone()).column(key.clone().alias(format!("c{at}")));
        }
        for at in 0..self.random.usize(1..4) {
            let aggregate = if self.one_in(6) {
                let texts = scope.iter().fold(string_agg(self.column(&scope, &["s"]), "-"), |texts, alias| {
                    texts.ordered_by(col((alias.clone(), "id")).asc().nulls_first())
                });
                if self.one_in(2) { texts.filter_where(self.column(&scope, &["a"]).gt(self.small())) } else { texts }
            } else {
                self.aggregate(&scope, true)
            };
            query = query.column(aggregate.alias(format!("n{at}")));
        }
        if self.one_in(3) && !keys.is_empty() {
            let aggregate = self.aggregate(&scope, true);
            query = query.having(aggregate.compare(self.comparison(), self.small()));
        }
        for key in keys {
            query = query.order_by(self.order(key));
        }
        self.page(query)
    }

    /// Rows of a number and a text, each once or as often as they come.
    fn pairs(&mut self, depth: u32) -> Select {
        if depth == 0 || self.one_in(3) {
            let (query, scope) = self.joined();
            let query = query.column(self.number(&scope, 1).alias("c0")).column(self.text(&scope, 1).alias("c1"));
            return if self.one_in(3) { query.distinct() } else { query };
        }
        let (one, other) = (self.pairs(depth - 1), self.pairs(depth - 1));
        let both = match self.random.u32(..8) {
            0 | 1 => one.union(other),
            2 | 3 => one.union_all(other),
            4 => one.intersect(other),
            5 => one.except(other),
            6 => one.intersect_all(other),
            _ => one.except_all(other),
        };
        if self.one_in(4) {
            let both = self.ordered_pairs(both);
            self.page(both)
        } else {
            both
        }
    }

    fn ordered_pairs(&mut self, pairs: Select) -> Select {
        pairs.order_by(self.order(col("c0"))).order_by(self.order(col("c1")))
    }

    /// Any query whose rows come in an order that tells them apart, but for rows that are all the same.
    pub(crate) fn query(&mut self) -> Select {
        let query = match self.random.u32(..8) {
            0..3 => self.rows(),
            3..5 => self.groups(),
            5 => {
                let pairs = self.pairs(0);
                let pairs = self.ordered_pairs(pairs);
                self.page(pairs)
            }
            6 => {
                let pairs = self.pairs(2);
                let pairs = self.ordered_pairs(pairs);
                self.page(pairs)
            }
            _ => {
                let (name, pairs) = (self.name("w"), self.pairs(1));
                let read = select().from(name.clone()).with(cte(name, pairs));
                let read = if self.one_in(2) { read.filter(col("c0").ge(self.small())) } else { read };
                self.ordered_pairs(read)
            }
        };
        match self.random.u32(..10) {
            0 => query.to_count(),
            1 => query.to_exists(),
            _ => query,
        }
    }
}
