<?php
// Waits until the site's database answers, and makes it where it is missing. Run in the site's folder.

const PATIENCE = 120;
// The server knows the account and turns it down, or the account may not see the database: waiting changes nothing.
const REFUSED = array(1044, 1045, 1698);

define('CONTAINER_SETTINGS_ONLY', true);
require getcwd() . '/wp-config.php';
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

function say(string $text): void
{
    fwrite(STDERR, gmdate('Y-m-d\TH:i:s\Z') . ' [docker-entrypoint.sh] ' . $text . "\n");
}

/** Connects as WordPress does to HOST, HOST:PORT, HOST:/SOCKET or [ADDRESS]:PORT. */
function connect(): mysqli
{
    preg_match('/^(\[[^\]]*\]|[^:]*)(?::(\d+)|:(\/.*))?$/', DB_HOST, $part);
    $database = mysqli_init();
    $database->options(MYSQLI_OPT_CONNECT_TIMEOUT, 5);
    $host = trim($part[1] ?? DB_HOST, '[]');
    $database->real_connect($host, DB_USER, DB_PASSWORD, null, (int) ($part[2] ?? 0), $part[3] ?? null);
    return $database;
}

$end = time() + PATIENCE;
$said = '';
for (;;) {
    try {
        $database = connect();
        break;
    } catch (mysqli_sql_exception $error) {
        if (in_array($error->getCode(), REFUSED, true) || time() >= $end) {
            say('error: the database at ' . DB_HOST . ' cannot be used: ' . $error->getMessage());
            exit(1);
        }
        if ($said !== $error->getMessage()) {
            $said = $error->getMessage();
            say('waiting for the database at ' . DB_HOST . ': ' . $said);
        }
        usleep(250000);
    }
}

try {
    $database->select_db(DB_NAME);
} catch (mysqli_sql_exception $missing) {
    try {
        $database->query('CREATE DATABASE IF NOT EXISTS `' . str_replace('`', '``', DB_NAME) . '`');
        say('made the database ' . DB_NAME);
    } catch (mysqli_sql_exception $error) {
        say('error: the database ' . DB_NAME . ' is not there and cannot be made: ' . $error->getMessage());
        exit(1);
    }
}
