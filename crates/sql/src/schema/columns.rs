//! The methods that add columns, the same to a new table and to one that is changed.

/// Writes them for a type that has `fn add(&mut self, ColumnDef) -> &mut ColumnDef`.
macro_rules! column_methods {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $of:ty),*) = $column_type:expr;)*) => {
        /// A column of this name and type, for types that are known only when the program runs.
        pub fn column(&mut self, name: impl Into<crate::Name>, column_type: crate::ColumnType) -> &mut crate::ColumnDef {
            self.add(crate::ColumnDef::new(name, column_type))
        }

        /// The column `id`: the primary key, which the engine numbers.
        pub fn id(&mut self) -> &mut crate::ColumnDef {
            self.add(crate::ColumnDef::new("id", crate::ColumnType::Id)).auto_increment()
        }

        $(
            $(#[$doc])*
            pub fn $name(&mut self, name: impl Into<crate::Name> $(, $argument: $of)*) -> &mut crate::ColumnDef {
                self.add(crate::ColumnDef::new(name, $column_type))
            }
        )*

        /// One of these labels. They are literals: no label can become SQL.
        pub fn enum_of<T: Into<String>>(
            &mut self,
            name: impl Into<crate::Name>,
            labels: impl IntoIterator<Item = T>,
        ) -> &mut crate::ColumnDef {
            let labels = labels.into_iter().map(Into::into).collect();
            self.add(crate::ColumnDef::new(name, crate::ColumnType::Enum(labels)))
        }

        /// A column of a type as the engine spells it. This is SQL, checked only for complete quotes and parentheses: never
        /// build it from input.
        pub fn raw_column(&mut self, name: impl Into<crate::Name>, sql: impl Into<String>) -> &mut crate::ColumnDef {
            self.add(crate::ColumnDef::new(name, crate::ColumnType::Raw(sql.into())))
        }

        /// The columns `created_at` and `updated_at`: timestamps that take NULL, written by the application.
        pub fn timestamps(&mut self) {
            self.timestamp("created_at").nullable();
            self.timestamp("updated_at").nullable();
        }

        /// The column `deleted_at`: a timestamp that takes NULL, and is NULL of rows that are not deleted.
        pub fn soft_deletes(&mut self) -> &mut crate::ColumnDef {
            self.timestamp("deleted_at").nullable()
        }

        /// An index of these columns: names, expressions, `col("age").desc()`. See [`IndexDef`](crate::IndexDef) for what
        /// more can be said.
        pub fn index(&mut self, parts: impl Into<crate::IndexParts>) -> &mut crate::IndexDef {
            self.add_index(crate::IndexDef::new(crate::IndexKind::Plain, parts))
        }

        /// No two rows agree in all of these columns; rows with NULL in one of them are not compared. It is an index on every
        /// engine, and serves foreign keys and conflicts of inserts as a constraint would.
        pub fn unique(&mut self, parts: impl Into<crate::IndexParts>) -> &mut crate::IndexDef {
            self.add_index(crate::IndexDef::new(crate::IndexKind::Unique, parts))
        }

        /// A full-text index of these columns. Unsupported where that takes a table of its own.
        pub fn full_text(&mut self, parts: impl Into<crate::IndexParts>) -> &mut crate::IndexDef {
            self.add_index(crate::IndexDef::new(crate::IndexKind::FullText, parts))
        }

        /// These columns point to a row of another table:
        /// `t.foreign(["country", "city"]).references(["country", "name"]).on("cities");`
        pub fn foreign(&mut self, columns: impl Into<crate::Names>) -> &mut crate::ForeignKeyDef {
            self.add_foreign(crate::ForeignKeyDef::new(columns.into().0))
        }

        /// What holds of every row, under a name for messages. Rows for which it is NULL pass, as in SQL.
        pub fn check(&mut self, name: impl Into<crate::Name>, condition: crate::Expr) {
            self.add_check(crate::CheckDef { name: name.into(), condition });
        }
    };
}

/// Calls `column_methods` with every type.
macro_rules! every_column_method {
    () => {
        column_methods! {
            /// A column that points to rows numbered by [`id`](Self::id); [`constrained`](crate::ColumnDef::constrained) says
            /// which table's.
            foreign_id() = crate::ColumnType::Id;
            /// A UUID.
            uuid() = crate::ColumnType::Uuid;
            /// Text of at most this many characters.
            string(length: u32) = crate::ColumnType::Varchar(length);
            /// Text of exactly this many characters.
            char(length: u32) = crate::ColumnType::Char(length);
            /// Text: on MySQL and its kin of at most 65,535 bytes, elsewhere of any length.
            text() = crate::ColumnType::Text;
            /// Text: on MySQL and its kin of at most 16 MiB, elsewhere of any length.
            medium_text() = crate::ColumnType::MediumText;
            /// Text of any length.
            long_text() = crate::ColumnType::LongText;
            /// An integer of 8 bits, of 16 where there is no smaller type.
            tiny_integer() = crate::ColumnType::TinyInt;
            /// An integer of 16 bits.
            small_integer() = crate::ColumnType::SmallInt;
            /// An integer of 32 bits.
            integer() = crate::ColumnType::Integer;
            /// An integer of 64 bits.
            big_integer() = crate::ColumnType::BigInt;
            /// True or false.
            boolean() = crate::ColumnType::Boolean;
            /// An exact number: digits in all, digits after the point.
            decimal(precision: u16, scale: u16) = crate::ColumnType::Decimal(precision, scale);
            /// A float of single precision, about 7 digits. For money, take [`decimal`](Self::decimal).
            float() = crate::ColumnType::Float;
            /// A float of double precision, about 15 digits. For money, take [`decimal`](Self::decimal).
            double() = crate::ColumnType::Double;
            /// A calendar date.
            date() = crate::ColumnType::Date;
            /// A time of day, to the microsecond.
            time() = crate::ColumnType::Time;
            /// A date and time without a zone, to the microsecond.
            date_time() = crate::ColumnType::DateTime;
            /// An instant, to the microsecond.
            timestamp() = crate::ColumnType::Timestamp;
            /// A year; a small integer where there is no such type.
            year() = crate::ColumnType::Year;
            /// A JSON document.
            json() = crate::ColumnType::Json;
            /// Bytes of any length.
            binary() = crate::ColumnType::Blob;
        }
    };
}

pub(super) use {column_methods, every_column_method};
