<?php
/**
 * WordPress's settings, out of the container's environment. Copied into /var/www/html at the first start and the
 * site's own from then on: the image does not change it again.
 */

/** The variable NAME, or the text of the file that NAME_FILE names, or else what is given. */
function container_setting(string $name, $otherwise)
{
    $file = getenv($name . '_FILE');
    if ($file !== false && $file !== '') {
        return rtrim(file_get_contents($file), "\r\n");
    }
    $value = getenv($name);
    return $value === false ? $otherwise : $value;
}

/** What the database linked under the name `mysql` says of itself. */
function container_link(string $name, $otherwise)
{
    $value = getenv('MYSQL_' . $name);
    return $value === false || $value === '' ? $otherwise : $value;
}

/**
 * HOST[:PORT] of the linked database. Its name comes before its address: the name is kept right when the database
 * is started again at another address, the variables are not.
 */
function container_database_host(): string
{
    $known = gethostbyname('mysql') !== 'mysql';
    $host = $known ? 'mysql' : container_link('PORT_3306_TCP_ADDR', 'mysql');
    $port = container_link('PORT_3306_TCP_PORT', '3306');
    return $port === '3306' ? $host : $host . ':' . $port;
}

$user = container_setting('WORDPRESS_DB_USER', container_link('ENV_MYSQL_USER', 'root'));
$password = container_link($user === 'root' ? 'ENV_MYSQL_ROOT_PASSWORD' : 'ENV_MYSQL_PASSWORD', '');
define('DB_USER', $user);
define('DB_PASSWORD', container_setting('WORDPRESS_DB_PASSWORD', $password));
define('DB_HOST', container_setting('WORDPRESS_DB_HOST', null) ?? container_database_host());
define('DB_NAME', container_setting('WORDPRESS_DB_NAME', container_link('ENV_MYSQL_DATABASE', 'wordpress')));
define('DB_CHARSET', container_setting('WORDPRESS_DB_CHARSET', 'utf8mb4'));
define('DB_COLLATE', container_setting('WORDPRESS_DB_COLLATE', ''));
$table_prefix = container_setting('WORDPRESS_TABLE_PREFIX', 'wp_');

// Made once, at the first start; WORDPRESS_AUTH_KEY and so on come before them.
foreach (
    array(
        // salts
    ) as $name => $salt
) {
    define($name, container_setting('WORDPRESS_' . $name, $salt));
}

define('WP_DEBUG', (bool) container_setting('WORDPRESS_DEBUG', ''));

// Behind a proxy that speaks TLS.
if (strtolower($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') {
    $_SERVER['HTTPS'] = 'on';
}

// PHP of one's own: define('WP_MEMORY_LIMIT', '256M');
eval(container_setting('WORDPRESS_CONFIG_EXTRA', ''));

/*
 * The site's address is the one that it is asked by: a port that the engine chose (-p 80) is another one after the
 * next start, and the address that the database remembers would lead to the old one. A site whose address does
 * not change names it, in WORDPRESS_CONFIG_EXTRA or as WORDPRESS_HOME=https://blog.example.org.
 */
$home = container_setting('WORDPRESS_HOME', null);
if ($home === null && preg_match('/^(\[[0-9a-f:.]+\]|[0-9a-z.-]+)(:[0-9]+)?$/i', $_SERVER['HTTP_HOST'] ?? '')) {
    $home = (($_SERVER['HTTPS'] ?? 'off') === 'off' ? 'http://' : 'https://') . $_SERVER['HTTP_HOST'];
}
if ($home !== null && $home !== '') {
    defined('WP_HOME') || define('WP_HOME', $home);
    defined('WP_SITEURL') || define('WP_SITEURL', $home);
}

defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');

// wait-for-database.php wants the settings alone.
if (!defined('CONTAINER_SETTINGS_ONLY')) {
    require_once ABSPATH . 'wp-settings.php';
}
